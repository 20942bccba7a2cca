"""What is kept of a refused message: its bytes while there is room, then its digest, then a count.

Pure. The limits hold the disk that a broken or hostile device can fill; counts always go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from exchange.intake.model import Refused
from exchange.intake.verification import Device

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
    again: dict[tuple[str, str, bytes], int]
    kept: dict[Device, Kept]
    total: Kept


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
) -> Filing:
    """Decide for each message; ``known`` are the (carrier, device, digest) that have a row."""
    filing = Filing([], {}, dict(kept), total)
    for (carrier, device, digest), (refused, times) in _grouped(refusals).items():
        if (carrier, device, digest) in known:
            filing.again[carrier, device, digest] = times
            continue
        before = filing.kept.get((carrier, device), Kept())
        size = len(refused.message.payload)
        keep = keep_of(before, filing.total, size)
        filing.new.append(Filed(refused, digest, keep, times))
        filing.kept[carrier, device] = _with(before, keep, size)
        filing.total = _with(filing.total, keep, size)
    return filing


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
    return replace(more, messages=kept.messages + 1, bytes=kept.bytes + size_bytes)
