"""Intake: from a message of the broker to a committed record, a receipt or a refusal."""
