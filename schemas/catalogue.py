"""The signal catalogue: what a signal id means, in which unit and scale (COVESA VSS 6.0 paths)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from schemas.catalogue_table import EVENT_ROWS, SIGNAL_ROWS, VERSION

__all__ = ["BY_PATH", "EVENTS", "EVENT_END_OF_SOURCE", "EVENT_VIN", "SIGNALS", "VERSION", "Signal"]

EVENT_END_OF_SOURCE = 1
EVENT_VIN = 2
VIN_DETAIL_KEY = 1

_STORAGE_LIMIT = {"int2": 2**15 - 1, "int4": 2**31 - 1}


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: physical value = stored integer * ``scale``, in ``unit``."""

    id: int
    path: str
    unit: str
    scale: Fraction
    storage: str
    """Width of the exchange's column, ``int2`` or ``int4``; signed bytes hold any int64."""
    rule: str
    """Which value of a second is sampled: last, mean, max or counter."""
    fresh_ms: int
    """How old a value may be and still be sampled."""
    spn: int | None
    """SAE J1939 suspect parameter number of its main source."""
    driver: bool
    """Of the class *driver*: sealed in segments of its own."""
    values: tuple[str, ...]
    """Names of an enumeration's values, from 0."""

    @property
    def column(self) -> str:
        """The SQL column that holds its samples."""
        return f"s{self.id}"

    @property
    def stored_max(self) -> int:
        """The largest magnitude that the exchange's column holds."""
        return _STORAGE_LIMIT[self.storage]

    def encode(self, value: float) -> int:
        """The stored integer nearest to a physical value; ``ValueError`` for inf and nan."""
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError("not a number that can be stored")
        exact = Decimal(repr(float(value))) * self.scale.denominator / self.scale.numerator
        return int(exact.to_integral_value(ROUND_HALF_EVEN))

    def decode(self, raw: int) -> float:
        """The physical value of a stored integer."""
        return raw * self.scale.numerator / self.scale.denominator


SIGNALS: dict[int, Signal] = {
    row[0]: Signal(
        id=row[0],
        path=row[1],
        unit=row[2],
        scale=Fraction(row[3]),
        storage=row[4],
        rule=row[5],
        fresh_ms=row[6],
        spn=row[7],
        driver=row[8],
        values=row[9],
    )
    for row in SIGNAL_ROWS
}

BY_PATH: dict[str, Signal] = {signal.path: signal for signal in SIGNALS.values()}

EVENTS: dict[int, str] = dict(EVENT_ROWS)
