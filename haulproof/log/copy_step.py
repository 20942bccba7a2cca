"""One step of copying a log into a directory, shared by ``export`` and ``mirror``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from haulproof.log.telling import Progress, counted, shown
from ledger.checkpoint import Checkpoint
from ledger.copying import bring_up_to
from ledger.tile_directory import TileDirectoryWriter
from ledger.verified_tree import NotPublished, PublishedLog


class OpenNote(Protocol):
    """Verifies a checkpoint, of the given origin where one is given; ``CommandStopped``."""

    def __call__(self, note: bytes, origin: str | None = None) -> Checkpoint: ...


@dataclass(frozen=True, slots=True)
class Copied:
    """The checkpoint that the log showed, and how many leaves it brought."""

    checkpoint: Checkpoint
    leaves: int

    def members(self, root: Path) -> dict[str, Any]:
        """For programs."""
        head = self.checkpoint.head
        return {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "leaves_copied": self.leaves,
            "dir": str(root),
        }

    def line(self, root: Path) -> str:
        """For people."""
        head = self.checkpoint.head
        leaves = counted(head.size, "leaf", "leaves")
        return f"{root} holds {shown(head.origin)}: {leaves}, {self.leaves:,} new"


def copy_once(
    command: str, log: PublishedLog, copy: TileDirectoryWriter, open_note: OpenNote
) -> Copied:
    """Bring the copy up to the log's newest checkpoint. Raises what ``bring_up_to`` raises."""
    try:
        known = open_note(copy.checkpoint())
    except NotPublished:
        known = None
    seen = open_note(log.checkpoint(), None if known is None else known.head.origin)
    progress = Progress(command, "leaves copied,", seen.head.size)
    return Copied(seen, bring_up_to(copy, log, seen, known, progress))
