"""The HTTP surface of the exchange: authentication, problems, limits and the assembled app."""
