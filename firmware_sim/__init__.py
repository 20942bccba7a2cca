"""The world outside the agent: drive files played as CAN frames and NMEA sentences."""
