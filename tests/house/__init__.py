"""Tests of the house itself: imports, packaging, Makefile and documents."""
