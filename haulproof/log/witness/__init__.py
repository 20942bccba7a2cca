"""``haulproof log witness``: state in SQLite, keys in files, HTTP by uvicorn."""
