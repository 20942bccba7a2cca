"""Bytes that truck and exchange speak: topics, acknowledgements, refusals, configuration."""
