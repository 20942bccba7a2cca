"""``haulproof log``: the roles around a log that are not an exchange's."""
