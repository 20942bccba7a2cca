"""Is a device's chain of statements whole? Judged here, where the order is known (DESIGN 3.3)."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.statements.trip import ChainFault


@dataclass(frozen=True, slots=True)
class Link:
    """One statement of a device, segment or gap, as far as the chain is concerned."""

    index: int
    device: str
    boot: bytes
    seq: int
    prev: bytes
    digest: bytes
    from_ms: int


def chain_faults(links: Iterable[Link]) -> list[tuple[int, ChainFault]]:
    """What is wrong, by index. The earliest statement of a device may follow one that is not here.

    A statement whose predecessor is not among the links is *missing* some when an earlier one of
    its boot is here, else a *break*. All that share a predecessor, but the first, are *forks*.
    """
    by_device: defaultdict[str, list[Link]] = defaultdict(list)
    for link in sorted(links, key=lambda link: (link.from_ms, link.seq, link.index)):
        by_device[link.device].append(link)
    faults = [fault for chain in by_device.values() for fault in _faults_of(chain)]
    return sorted(faults)


def _faults_of(chain: list[Link]) -> list[tuple[int, ChainFault]]:
    known = {link.digest for link in chain}
    first_of_boot: dict[bytes, int] = {}
    for link in chain:
        first_of_boot[link.boot] = min(link.seq, first_of_boot.get(link.boot, link.seq))
    followers: Counter[bytes] = Counter()
    faults = []
    for place, link in enumerate(chain):
        followers[link.prev] += 1
        if followers[link.prev] > 1:
            faults.append((link.index, ChainFault.FORK))
        elif place and link.prev not in known:
            inside = link.seq > first_of_boot[link.boot]
            faults.append((link.index, ChainFault.MISSING if inside else ChainFault.BREAK))
    return faults
