"""Tests of frames made from values."""
