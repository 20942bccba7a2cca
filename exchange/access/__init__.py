"""Who may read what: the one query builder behind every read, and the log of the reads."""
