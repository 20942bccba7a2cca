"""Tests of the embedded servers and the supervisor, with the real programs."""
