"""Organisations: admission by the operator, their keys and the clients that act for them."""
