"""What must hold after every fault, by what outsiders see: the published log, and who sent what.

Shares no code with exchange and agent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.faults.published_log import LogReader


@dataclass(frozen=True, slots=True)
class Verdict:
    """Statements with a receipt, those of them at their leaf, and what must be 0."""

    acknowledged: int
    found: int
    lost: int
    twice: int

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(
            self.acknowledged + other.acknowledged,
            self.found + other.found,
            self.lost + other.lost,
            self.twice + other.twice,
        )

    def since(self, acknowledged: int) -> "Verdict":
        """The same, without what was acknowledged and found before."""
        found = self.found - acknowledged
        return Verdict(self.acknowledged - acknowledged, found, self.lost, self.twice)


def judge(
    log: LogReader, receipts: Mapping[bytes, int], signed: Collection[bytes], lost: int = 0
) -> Verdict:
    """Read on in the log and compare. ``receipts``: leaf by digest; ``lost``: seconds of a drive.

    ``signed`` are the digests of everything that these devices ever signed. ``Disagreement`` when
    entries or checkpoints contradict earlier ones.
    """
    log.read()
    found = sum(log.digest_at(leaf) == digest for digest, leaf in receipts.items())
    counts = log.digests()
    twice = sum(counts[digest] - 1 for digest in set(signed) if counts[digest] > 1)
    return Verdict(len(receipts), found, len(receipts) - found + lost, twice)
