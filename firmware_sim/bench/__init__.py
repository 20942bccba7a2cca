"""The bench: a CAN bus (socketcand) and a receiver (NMEA) on TCP sockets, played from a drive."""
