"""Tests of the two sockets that a drive is played on."""
