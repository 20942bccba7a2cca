"""Payloads of the statements that are not segments: one module a kind."""
