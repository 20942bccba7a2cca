"""The load of a bench: a fleet of admitted devices, and the ways in which it sends."""
