"""The claim of a log: its origin, size and root, as the three lines of a C2SP tlog-checkpoint."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from ledger.merkle import HASH_BYTES, TREE_SIZE_MAX
from ledger.note import NoteRefused

_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Origin, size in leaves and root hash of a log: unsigned."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The three lines that a checkpoint signs."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()


def parse_head(text: bytes) -> TreeHead:
    """The tree head of a note's text; ``NoteRefused`` for another form or extension lines."""
    match = _TEXT.fullmatch(text.decode(errors="replace"))
    if match is None:
        raise NoteRefused("a checkpoint is three lines: origin, size, root")
    head = TreeHead(match[1], int(match[2]), b64decode(match[3]))
    if head.size > TREE_SIZE_MAX or len(head.root) != HASH_BYTES or head.text != text:
        raise NoteRefused("not the one form of a checkpoint")
    return head
