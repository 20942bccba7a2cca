"""Times as they go forward: what steps back or leaps far ahead is noticed, and stops nothing else.

Recorded files have rows out of order, rows twice, clocks that were set, and single rows of another
decade. A truck's clock only goes forward, so nothing can be sampled for a time that has passed.
"""

import heapq
from collections.abc import Iterator
from typing import TypeVar

from firmware_sim.drives.model import Frame, Record, Tally

BEHIND_NS = 2 * 10**9
"""What is further behind the latest than this is left out."""

AHEAD_NS = 7 * 86_400 * 10**9
"""A leap of more than this is believed when others follow it: even a parked tracker reports."""

FOLLOWING = 3
"""How many in a row that agree show that a leap is none of a single broken row."""

SORTED_MAX = 65_536
"""Records held to be put in order, whatever their times are."""

Item = TypeVar("Item", Frame, Record)


def forward(items: Iterator[Item], tally: Tally) -> Iterator[Item]:
    """The items, as they stand, without those that go back or stand alone in another time."""
    latest_ns: int | None = None
    leapt: list[Item] = []
    for item in items:
        known_ns = leapt[-1].time_ns if leapt else latest_ns
        if latest_ns is not None and -BEHIND_NS <= item.time_ns - latest_ns <= AHEAD_NS:
            tally.alone += len(leapt)
            leapt.clear()
            tally.earlier += item.time_ns < latest_ns
            latest_ns = max(latest_ns, item.time_ns)
            yield item
        elif latest_ns is not None and item.time_ns < latest_ns:
            tally.behind += 1
        else:
            if known_ns is not None and not -BEHIND_NS <= item.time_ns - known_ns <= AHEAD_NS:
                tally.alone += len(leapt)
                leapt.clear()
            leapt.append(item)
            if len(leapt) == FOLLOWING:
                latest_ns = max(one.time_ns for one in leapt)
                yield from leapt
                leapt.clear()
    if latest_ns is None:
        yield from leapt
    else:
        tally.alone += len(leapt)


def in_order(records: Iterator[Record]) -> Iterator[Record]:
    """Records that are at most a little behind one another, in order of time."""
    waiting: list[tuple[int, int, Record]] = []
    latest_ns = 0
    for number, record in enumerate(records):
        latest_ns = max(latest_ns, record.time_ns)
        heapq.heappush(waiting, (record.time_ns, number, record))
        while waiting[0][0] < latest_ns - BEHIND_NS or len(waiting) > SORTED_MAX:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
