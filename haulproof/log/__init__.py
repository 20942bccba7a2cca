"""``haulproof log``: the roles around a log that are not an exchange's."""
"""``haulproof log``: the other roles around a log, one module for each word."""
