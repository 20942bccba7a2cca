"""Segments as the exchange keeps them: one row each, one array per signal."""
