"""Tests of sentences made from fixes."""
