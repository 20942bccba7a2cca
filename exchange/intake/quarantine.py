"""What is kept of a refused message: its bytes while there is room, then its digest, then a count.

What a carrier may release comes first: bytes of anything else give way to it, the oldest first.

Pure. The limits hold the disk that a broken or hostile device can fill; counts always go on.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from exchange.intake.model import Refused
from exchange.intake.verification import Device
from schemas.errors import Reason

DEVICE_MESSAGES_MAX = 1_000
"""Messages of one device whose bytes are kept."""
TOTAL_BYTES_MAX = 100_000_000
"""Bytes kept of all devices."""
DEVICE_DIGESTS_MAX = 10_000
"""Messages of one device whose digests are kept."""


class Keep(Enum):
    """How much of a message is kept."""

    BYTES = "bytes"
    DIGEST = "digest"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept already, of one device or in all."""

    digests: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Filed:
    """A refused message that is new to the quarantine, and how much of it is kept."""

    refused: Refused
    digest: bytes
    keep: Keep
    times: int


@dataclass(slots=True)
class Filing:
    """One batch's refusals filed: new rows, repeated digests, and what is kept afterwards."""

    new: list[Filed]
    again: dict[tuple[str, str, bytes], tuple[Refused, int]]
    """Repeated ones: how they were refused now, and how often."""
    kept: dict[Device, Kept]
    total: Kept
    bytes_again: dict[tuple[str, str, bytes], bytes] = field(default_factory=dict)
    """Bytes of repeated ones for which there is room now."""


def keep_of(device: Kept, total: Kept, size_bytes: int) -> Keep:
    """How much of one more message of ``size_bytes`` there is room for."""
    if device.messages < DEVICE_MESSAGES_MAX and total.bytes + size_bytes <= TOTAL_BYTES_MAX:
        return Keep.BYTES
    return Keep.DIGEST if device.digests < DEVICE_DIGESTS_MAX else Keep.COUNT


def file_refusals(
    refusals: Iterable[Refused],
    known: set[tuple[str, str, bytes]],
    kept: dict[Device, Kept],
    total: Kept,
    bare: Collection[tuple[str, str, bytes]] = (),
) -> Filing:
    """Decide for each message; ``known`` are the (carrier, device, digest) that have a row.

    ``bare`` are those of them whose bytes are kept as soon as there is room: refused for now.
    """
    filing = Filing([], {}, dict(kept), total)
    for (carrier, device, digest), (refused, times) in _releasable_first(refusals):
        before = filing.kept.get((carrier, device), Kept())
        size = len(refused.message.payload)
        keep = keep_of(before, filing.total, size)
        if (carrier, device, digest) in known:
            filing.again[carrier, device, digest] = refused, times
            if keep is Keep.BYTES and (carrier, device, digest) in bare:
                filing.bytes_again[carrier, device, digest] = refused.message.payload
                filing.kept[carrier, device] = _with_bytes(before, size)
                filing.total = _with_bytes(filing.total, size)
            continue
        filing.new.append(Filed(refused, digest, keep, times))
        filing.kept[carrier, device] = _with(before, keep, size)
        filing.total = _with(filing.total, keep, size)
    return filing


def room_lacking(
    refusals: Iterable[Refused],
    known: Collection[tuple[str, str, bytes]],
    kept: dict[Device, Kept],
    total: Kept,
    bare: Collection[tuple[str, str, bytes]] = (),
) -> tuple[dict[Device, int], int]:
    """What must give way for statements that a carrier may release: messages by device, and bytes.

    The bytes are those lacking in all, before any message of a device gives way.
    """
    wanted: Counter[Device] = Counter()
    size_bytes = 0
    for key, (refused, _) in _grouped(refusals).items():
        if refused.reason is Reason.REVOKED_KEY and (key not in known or key in bare):
            wanted[refused.carrier, refused.device] += 1
            size_bytes += len(refused.message.payload)
    over = {
        device: kept.get(device, Kept()).messages + count - DEVICE_MESSAGES_MAX
        for device, count in wanted.items()
    }
    lacking = {device: messages for device, messages in over.items() if messages > 0}
    return lacking, max(0, total.bytes + size_bytes - TOTAL_BYTES_MAX) if wanted else 0


def less(kept: Kept, sizes: Sequence[int]) -> Kept:
    """What is kept once the bytes of messages of these sizes are let go."""
    return replace(kept, messages=kept.messages - len(sizes), bytes=kept.bytes - sum(sizes))


def _releasable_first(
    refusals: Iterable[Refused],
) -> list[tuple[tuple[str, str, bytes], tuple[Refused, int]]]:
    """Whoever is first has the room."""
    groups = _grouped(refusals).items()
    return sorted(groups, key=lambda group: group[1][0].reason is not Reason.REVOKED_KEY)


def _grouped(refusals: Iterable[Refused]) -> dict[tuple[str, str, bytes], tuple[Refused, int]]:
    groups: dict[tuple[str, str, bytes], tuple[Refused, int]] = {}
    for refused in refusals:
        key = (refused.carrier, refused.device, refused.digest)
        groups[key] = (refused, groups.get(key, (refused, 0))[1] + 1)
    return groups


def _with(kept: Kept, keep: Keep, size_bytes: int) -> Kept:
    if keep is Keep.COUNT:
        return kept
    more = replace(kept, digests=kept.digests + 1)
    if keep is Keep.DIGEST:
        return more
    return _with_bytes(more, size_bytes)


def _with_bytes(kept: Kept, size_bytes: int) -> Kept:
    return replace(kept, messages=kept.messages + 1, bytes=kept.bytes + size_bytes)
