"""Evidence of a long trip, made for the bench: its statements, and the log that it lies in."""
