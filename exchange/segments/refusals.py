"""Why an answer with segments can't be given, apart from the reader's rights."""

from exchange.errors import ExchangeRefusal


class AmbiguousVehicle(ExchangeRefusal):
    """More than one carrier that the caller may mean has a vehicle of this name."""


class RangeTooLarge(ExchangeRefusal):
    """More than one answer may hold; the text says how to narrow the request."""


class NothingThere(ExchangeRefusal):
    """The vehicle reported nothing in that time."""
