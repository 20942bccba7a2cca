"""The distinct seconds of a drive, counted in little memory: a bit for each, by the hour."""

from dataclasses import dataclass, field

HOURS_MAX = 24 * 366
"""A year in which every hour has data."""

_HOUR_S = 3_600


class TooManyHours(ValueError):
    """More hours with data than one drive has."""


@dataclass(slots=True)
class HeldSeconds:
    """A set of seconds; ``len`` is how many."""

    _hours: dict[int, bytearray] = field(default_factory=dict)

    def add(self, second: int) -> None:
        """Count a second, once; ``TooManyHours`` when it is in one hour too many."""
        hour, rest = divmod(second, _HOUR_S)
        bits = self._hours.get(hour)
        if bits is None:
            if len(self._hours) >= HOURS_MAX:
                raise TooManyHours
            bits = self._hours[hour] = bytearray(-(-_HOUR_S // 8))
        bits[rest >> 3] |= 1 << (rest & 7)

    def __len__(self) -> int:
        return sum(int.from_bytes(bits).bit_count() for bits in self._hours.values())
