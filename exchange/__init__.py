"""The exchange: intake, store, the log in PostgreSQL, derivation and the API."""
