"""``haulproof log``: the roles around a log, one module for each word."""
