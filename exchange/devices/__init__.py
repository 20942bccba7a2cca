"""Devices: their keys, the vehicles they speak for, and how they enter the exchange."""
