"""Grants: what a carrier lets another organisation read, and the end of it."""
