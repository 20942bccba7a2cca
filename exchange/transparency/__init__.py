"""The transparency log in PostgreSQL, and its signer."""
