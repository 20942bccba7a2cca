"""Tests of the drive file readers."""
