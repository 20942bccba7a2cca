"""Vector's ASC: a bus as text, its lines read by python-can.

What python-can's reader gets wrong is settled before it sees a line: it stops at the first frame
that it can't read, takes stamps relative to the line before as absolute, loses the line after the
header, and reads the date in the time zone of the machine. The date is the logger's local time in a
zone that the file does not name; it is taken as UTC, so that a file is the same drive everywhere.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Self, TextIO, cast

from can.io.asc import ASCReader

from firmware_sim.drives.can_messages import PARSING_FAILED, frame_of
from firmware_sim.drives.model import Frame, Tally
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.times import believed, ns_of

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov"),
        start=1,
    )
    for name in names.split()
} | {"dec": 12, "dez": 12}

_DATE = re.compile(r"(?:date|begin\s+triggerblock)\s+(?P<date>.+)", re.IGNORECASE)
_WHEN = re.compile(
    r"(?:\S+\s+)?(?P<month>[^\W\d]{3})\s+(?P<day>\d{1,2})\s+"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.:](?P<fraction>\d{1,6}))?"
    r"(?:\s+(?P<half>[ap]m))?\s+(?P<year>\d{4})\s*$",
    re.IGNORECASE,
)
_BASE = re.compile(
    r"base\s+(?P<base>hex|dec)(?:\s+timestamps\s+(?P<stamps>absolute|relative))?", re.IGNORECASE
)
_STAMPED = re.compile(r"(?P<stamp>\d{1,12}\.\d{1,9})\s+(?P<rest>\S.*)", re.ASCII)
_FRAME = re.compile(
    r"\d{1,12}\.\d{1,9}\s+(?:CANFD\s+)?\d{1,3}\s+(?:[0-9A-F]{1,10}x?\s+(?:Tx|Rx)|ErrorFrame)\b",
    re.IGNORECASE | re.ASCII,
)
_WORDS = re.compile(r"(?://|end\s|no\s+internal\s|internal\s|previous\s)", re.IGNORECASE)

_RECOGNISED_BY_LINES = 20
_MS_DIGITS = 3
"""Vector writes this many behind the seconds; python-can leaves leading zeros out: .7 is 7 ms."""


def recognises(head: bytes) -> bool:
    """Whether this begins with a header of ASC, or at least half of the lines are its frames."""
    lines = [line.strip() for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    first = list(islice(lines, _RECOGNISED_BY_LINES))
    if any(_BASE.match(line) for line in first):
        return True
    frames = sum(1 for line in first if _FRAME.match(line))
    return bool(first) and 2 * frames >= len(first)


def frames(source: DriveSource, tally: Tally) -> Iterator[Frame]:
    """Data frames in file order. CAN FD, remote and error frames are counted as left out."""
    log = _Log(source.lines(), tally)
    while not log.ended:
        try:
            for message in log.reader():
                frame = frame_of(message, log.begun_ns, tally)
                if frame is not None:
                    yield frame
        except PARSING_FAILED:
            tally.unreadable += 1


class _Log:
    """The file as python-can shall see it: only stamped lines, and all stamps from one start."""

    def __init__(self, lines: Iterator[str], tally: Tally) -> None:
        self.ended = False
        self.begun_ns = 0
        self._tally = tally
        self._base = "hex"
        self._relative = False
        self._total = Decimal(0)
        self._greeting = True
        self._taken = False
        self._lines = self._stamped(lines)
        self._line = next(self._lines, None)

    def reader(self) -> ASCReader:
        """A reader of what is left; python-can needs a new one after a line that it can't read."""
        self._greeting = True
        return ASCReader(cast("TextIO", self), base=self._base)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self._greeting:
            self._greeting = False
            return "no internal events logged"  # ends python-can's search for a header
        if self._taken:  # only now: the frame of the line before has its own block's start
            self._line = next(self._lines, None)
        self._taken = True
        if self._line is None:
            self.ended = True
            raise StopIteration
        return self._line

    def close(self) -> None:
        """python-can closes what it has read to its end."""

    def _stamped(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            stamped = _STAMPED.match(line.lstrip())
            if stamped is None:
                self._header(line.strip())
            elif self._relative:
                self._total += Decimal(stamped["stamp"])
                yield f"{self._total} {stamped['rest']}"
            else:
                yield f"{stamped['stamp']} {stamped['rest']}"

    def _header(self, line: str) -> None:
        if date := _DATE.match(line):
            begun_ns = _utc_ns(date["date"])
            self._tally.local_time |= begun_ns is not None
            self.begun_ns = self.begun_ns if begun_ns is None else begun_ns
        elif base := _BASE.match(line):
            self._base = base["base"].lower()
            self._relative = (base["stamps"] or "").lower() == "relative"
        elif line and not _WORDS.match(line):
            self._tally.unreadable += 1


def _utc_ns(text: str) -> int | None:
    when = _WHEN.match(text)
    month = _MONTHS.get(when["month"].lower()) if when else None
    if when is None or month is None:
        return None
    hour = int(when["hour"])
    if when["half"]:
        hour = hour % 12 + (12 if when["half"].lower() == "pm" else 0)
    fraction = (when["fraction"] or "0").zfill(_MS_DIGITS)
    micros = int(fraction.ljust(6, "0"))
    day = (int(when["year"]), month, int(when["day"]))
    try:
        at = (hour, int(when["minute"]), int(when["second"]), micros)
        moment = datetime(*day, *at, tzinfo=UTC)
    except ValueError:
        return None
    return believed(ns_of(moment))
