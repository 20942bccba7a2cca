"""candump's layouts: the log form ``(t) can0 ID#DATA``, the screen form ``can0 ID [8] 01 02``.

Source: can-utils ``lib.c`` (log form) and ``candump.c`` (screen form, stamps of -t a, A, d, z).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice

from firmware_sim.drives.model import OTHER_FRAMES, Frame, Tally
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.times import UTC_UNTIL_NS

UNTIMED_STEP_NS = 1_000_000
"""A screen dump without time stamps is played a frame a millisecond, as a busy truck bus runs."""

_TIME = r"\(\s*(?P<time>[0-9]{1,12}\.[0-9]{1,9}|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{8,18})\s*\)"
_LOG = re.compile(
    rf"\s*{_TIME}\s+(?P<channel>\S{{1,32}})\s+(?P<id>[0-9A-Fa-f]{{3}}|[0-9A-Fa-f]{{8}})"
    r"#(?P<data>(?:[0-9A-Fa-f]{2}\.?){0,8})(?:\s+[RT]\b.*)?\s*$"
)
_SCREEN = re.compile(
    rf"\s*(?:{_TIME}\s+)?(?P<channel>\S{{1,32}})\s+(?:[RT]X\s+[-B]\s+[-E]\s+)?"
    r"(?P<id>[0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})\s+\[(?P<size>[0-8])\]"
    r"(?P<data>(?:\s+[0-9A-Fa-f]{2}){0,8})(?:\s+'.*)?\s*$"
)
_OTHER_KINDS = re.compile(
    r"\s*(?:\([^)]*\)\s+)?\S{1,32}\s+(?:[RT]X\s+[-B]\s+[-E]\s+)?"
    r"(?:[0-9A-Fa-f]{3,8}(?:##|#R)|[0-9A-Fa-f]{3,8}\s+\[[0-9]{1,2}\])"
)
_ID_MAX = 0x1FFFFFFF
_RECOGNISED_BY_LINES = 20


def recognises(head: bytes) -> bool:
    """Whether at least half of the first lines are frames in either layout."""
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    first = list(islice(lines, _RECOGNISED_BY_LINES))
    frames = sum(1 for line in first if _OTHER_KINDS.match(line) or _match(line))
    return bool(first) and 2 * frames >= len(first)


def frames(source: DriveSource, tally: Tally) -> Iterator[Frame]:
    """Data frames in file order. CAN FD, remote and error frames are counted as left out."""
    untimed_ns = 0
    for line in source.lines():
        match = _match(line)
        if match is None:
            _count_other(line, tally)
            continue
        data = bytes.fromhex(match["data"].replace(".", ""))
        if "size" in match.groupdict() and len(data) != int(match["size"]):
            tally.unreadable += 1
            continue
        time_ns = _time_ns(match["time"]) if match["time"] else untimed_ns
        if time_ns is None or int(match["id"], 16) > _ID_MAX:
            tally.unreadable += 1
            continue
        if time_ns >= UTC_UNTIL_NS:
            tally.untimed += 1
            continue
        if not match["time"]:
            tally.untimed += 1
            untimed_ns += UNTIMED_STEP_NS
        yield Frame(time_ns, match["channel"], int(match["id"], 16), len(match["id"]) == 8, data)


def _match(line: str) -> re.Match[str] | None:
    return _LOG.match(line) or _SCREEN.match(line)


def _count_other(line: str, tally: Tally) -> None:
    if _OTHER_KINDS.match(line):
        tally.leave_out(OTHER_FRAMES)
    elif line.strip():
        tally.unreadable += 1


def _time_ns(text: str) -> int | None:
    if "-" not in text:
        return int(Decimal(text).scaleb(9))
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 10**9 + moment.microsecond * 1_000
