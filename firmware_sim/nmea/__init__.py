"""The receiver of the bench truck: NMEA 0183 sentences at the times of the drive's fixes."""
