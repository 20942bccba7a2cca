"""Tests of everything that runs on the truck."""
