"""Limits and peers: what the same machine does, in the same run, with one part alone."""
