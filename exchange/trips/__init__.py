"""Trips: derived from committed segments, signed by the exchange, committed as statements."""
