"""Tests of the truck on the bench."""
