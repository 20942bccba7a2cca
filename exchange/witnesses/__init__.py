"""Witnesses as the exchange asks them: rounds in which they cosign a checkpoint, until final."""
