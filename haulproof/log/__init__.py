"""``haulproof log``: the other roles around a log, one module for each word."""
