"""Many segments at once become rows of small arrays (DESIGN section 5), by numpy.

Unknown signals, and values past a signal's stored width, stay in the signed bytes, are NULL in the
row, and are counted in ``unstored``.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from exchange.derive.blocks import TIME
from exchange.derive.columns import Decoded, Int64s, are_offsets, copy_fields, decode_packed
from exchange.derive.payloads import Payloads
from exchange.segments.model import Summary
from exchange.segments.summary import SUMMARISED, SignalOfRows, summaries
from schemas.catalogue import SIGNALS
from schemas.limits import TIME_MS_MAX

NULL = b"\xff\xff\xff\xff"
"""A field of binary COPY without a value."""

_LARGEST = {2: 2**15 - 1, 4: 2**31 - 1}
_PLACE_OF = {signal: place for place, signal in enumerate(SIGNALS)}
_ELEMENT_BYTES = np.zeros(max(SIGNALS) + 1, np.int64)
for _signal in SIGNALS.values():
    _ELEMENT_BYTES[_signal.id] = int(_signal.storage[-1])


class Scalars(NamedTuple):
    """Fields of the payload that are columns as they stand; ``step_ms`` 0 where irregular."""

    seq: int
    t0: int
    n: int
    step_ms: int
    flags: int
    driver_class: bool


@dataclass(slots=True)
class NormalRows:
    """What a batch becomes, by the place of a segment in it."""

    scalars: list[Scalars]
    good: list[bool]
    """False where a column breaks a rule."""
    t_end: list[int]
    signals: list[list[bytes]]
    """A field of binary COPY for every signal of the catalogue, in its order."""
    unstored: list[int]
    summaries: list[Summary] = field(default_factory=list)
    offsets: dict[int, bytes] = field(default_factory=dict)
    """The field of the times, where those are irregular."""


def normalise(payloads: Payloads) -> NormalRows:
    """Decode, check and encode every column of a batch; one bad segment spoils only itself."""
    spans = (payloads.n - 1) * payloads.step_ms
    normal = NormalRows(
        scalars=_scalars(payloads),
        good=[True] * len(payloads),
        t_end=np.minimum(payloads.t0 + spans, TIME_MS_MAX).tolist(),
        signals=[[NULL] * len(SIGNALS) for _ in range(len(payloads))],
        unstored=[0] * len(payloads),
    )
    signals = payloads.signals
    known = (signals >= 0) & (signals < len(_ELEMENT_BYTES))
    element_bytes = np.where(known, _ELEMENT_BYTES[np.where(known, signals, 0)], 0)
    summarised: dict[int, SignalOfRows] = {}
    for size, largest in _LARGEST.items():
        places = np.flatnonzero(element_bytes == size)
        decoded = _checked(normal, payloads, places)
        _place_signals(normal, payloads, places, decoded, size, largest)
        summarised |= _summarised(payloads, places, decoded)
    _place_times(normal, payloads, np.flatnonzero(signals == TIME))
    _count_unknown(normal, payloads, np.flatnonzero((element_bytes == 0) & (signals != TIME)))
    bursts = decode_packed(payloads.bursts)
    for row in payloads.burst_rows[~bursts.good].tolist():
        normal.good[row] = False
    normal.summaries = summaries(len(payloads), summarised)
    return normal


def _scalars(payloads: Payloads) -> list[Scalars]:
    columns = (
        *(payloads.seqs, payloads.t0, payloads.n, payloads.step_ms),
        *(payloads.flags, payloads.driver_class),
    )
    return list(map(Scalars._make, zip(*(column.tolist() for column in columns), strict=True)))


def _checked(normal: NormalRows, payloads: Payloads, places: Int64s) -> Decoded:
    """Some columns, decoded; the segments of those that break a rule are marked."""
    decoded = decode_packed(payloads.columns.take(places))
    for row in payloads.rows[places][~decoded.good].tolist():
        normal.good[row] = False
    return decoded


def _place_signals(
    normal: NormalRows,
    payloads: Payloads,
    places: Int64s,
    decoded: Decoded,
    element_bytes: int,
    largest: int,
) -> None:
    made = copy_fields(decoded, element_bytes, largest)
    rows, ids = payloads.rows[places].tolist(), payloads.signals[places].tolist()
    for row, signal, encoded in zip(rows, ids, made.fields, strict=True):
        normal.signals[row][_PLACE_OF[signal]] = encoded
    for place in np.flatnonzero(made.unstored).tolist():
        normal.unstored[rows[place]] += int(made.unstored[place])


def _summarised(payloads: Payloads, places: Int64s, decoded: Decoded) -> dict[int, SignalOfRows]:
    rows, ids = payloads.rows[places], payloads.signals[places]
    found = {}
    for signal in SUMMARISED:
        of_signal = np.flatnonzero(ids == signal.id)
        if len(of_signal):
            ordered = of_signal[np.argsort(rows[of_signal])]
            found[signal.id] = SignalOfRows.of(signal, decoded, ordered, rows[ordered])
    return found


def _place_times(normal: NormalRows, payloads: Payloads, places: Int64s) -> None:
    """A wrong clock is no reason to refuse, but the row's end stays a time that SQL knows."""
    decoded = _checked(normal, payloads, places)
    made = copy_fields(decoded, 8, TIME_MS_MAX)
    for place, row in enumerate(payloads.rows[places].tolist()):
        values, present = decoded.column(place)
        if are_offsets(values, present):
            normal.t_end[row] = min(int(payloads.t0[row]) + int(values[-1]), TIME_MS_MAX)
            normal.offsets[row] = made.fields[place]
        else:
            normal.good[row] = False


def _count_unknown(normal: NormalRows, payloads: Payloads, places: Int64s) -> None:
    decoded = _checked(normal, payloads, places)
    for place, row in enumerate(payloads.rows[places].tolist()):
        normal.unstored[row] += int(np.count_nonzero(decoded.column(place)[1]))
