"""Many CBOR encodings read in step, by numpy: their heads (RFC 8949 section 3), item by item.

The encodings of a batch lie behind one another, and one call reads the head that each of them has
at its own place. What is not in its shortest form, or does not fit int64, is left over and not
raised: the plain reader of ``schemas`` says what is wrong with such an encoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.derive.columns import Flags, Int64s

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG = range(7)
"""Major types."""

_HEAD_BYTES_MAX = 9
_INFO_BITS = 5
_ONE_BYTE_INFO = 24
_INFOS = 1 << _INFO_BITS

_EXTRA = np.zeros(_INFOS, np.int64)
_EXTRA[24:28] = 1, 2, 4, 8
"""Bytes of an argument behind the initial byte."""

_SHIFT = np.zeros(_INFOS, np.uint64)
_SHIFT[24:28] = 56, 48, 32, 0
"""What an argument lies left of, in the 8 bytes behind the initial byte."""

_SMALLEST = np.zeros(_INFOS, np.uint64)
_SMALLEST[24:28] = 24, 1 << 8, 1 << 16, 1 << 32
_SMALLEST[28:] = 1 << 63
"""The smallest argument for which a head may be so long; none for lengths that are not definite."""

_LARGEST = np.uint64((1 << 63) - 1)


class Encodings:
    """A batch of byte strings behind one another; reading past the last one finds zeros."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.data = b"".join([*parts, bytes(_HEAD_BYTES_MAX)])
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        self.ends: Int64s = np.cumsum(lengths)
        self.starts: Int64s = self.ends - lengths
        self.octets = np.frombuffer(self.data, np.uint8)
        self._words = np.ndarray(
            (max(len(self.data) - 7, 0),), np.dtype(">u8"), self.data, strides=(1,)
        )
        self._last = len(self.data) - _HEAD_BYTES_MAX

    def octets_at(self, at: Int64s) -> NDArray[np.uint8]:
        """The byte at each place."""
        return self.octets[np.minimum(at, self._last)]

    def heads_at(self, at: Int64s) -> "Heads":
        """The head that begins at each place."""
        place = np.minimum(at, self._last)
        initial = self.octets[place]
        info = initial & (_INFOS - 1)
        argument = self._words[place + 1] >> _SHIFT[info]
        value = np.where(info < _ONE_BYTE_INFO, info, argument)
        shortest = (value >= _SMALLEST[info]) & (value <= _LARGEST)
        return Heads(initial >> _INFO_BITS, value.astype(np.int64), at + 1 + _EXTRA[info], shortest)


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads that were read: major type, argument, where the next byte is, whether it is right.

    ``good`` is False for a head that is not the shortest, or whose argument does not fit int64.
    """

    major: NDArray[np.integer[Any]]
    value: Int64s
    next: Int64s
    good: Flags

    def are(self, major: int) -> Flags:
        """Which are good and of this major type."""
        those: Flags = self.good & (self.major == major)
        return those

    def integers(self) -> tuple[Int64s, Flags]:
        """The integers that the heads are, and which are integers at all."""
        negative = self.major == NEGATIVE
        return np.where(negative, -1 - self.value, self.value), self.good & (self.major <= NEGATIVE)


class Cursor:
    """Where each encoding of a batch has been read to, and which are still as expected."""

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings
        self.at = encodings.starts.copy()
        self.good: Flags = encodings.ends > encodings.starts

    def expect(self, rows: Int64s, right: Flags) -> None:
        """Leave over the rows for which something is not as it should be."""
        self.good[rows] &= right

    def octets(self, rows: Int64s, *expected: int) -> None:
        """Read these very bytes in each row."""
        for octet in expected:
            self.expect(rows, self.encodings.octets_at(self.at[rows]) == octet)
            self.at[rows] += 1

    def next_is(self, rows: Int64s, octet: int) -> Flags:
        """In which rows, of those still as expected, this byte is next; it is not read."""
        those: Flags = self.good[rows] & (self.encodings.octets_at(self.at[rows]) == octet)
        return those

    def argument(self, rows: Int64s, major: int, largest: int) -> Int64s:
        """Read a head of this major type in each row: its argument, up to ``largest``."""
        heads = self.encodings.heads_at(self.at[rows])
        self.expect(rows, heads.are(major) & (heads.value <= largest))
        self.at[rows] = heads.next
        return np.where(self.good[rows], heads.value, 0)

    def byte_strings(self, rows: Int64s, largest: int) -> tuple[Int64s, Int64s]:
        """Read a byte string of at most ``largest`` bytes in each row: where it is, its length."""
        lengths = self.argument(rows, BYTES, largest)
        starts = self.at[rows]
        self.at[rows] = starts + lengths
        return starts, lengths

    def finish(self) -> Flags:
        """Which encodings were as expected to their very end."""
        self.good &= self.at == self.encodings.ends
        return self.good
