"""C2SP tlog-checkpoint: a tree head as the text of a signed note.

``TreeHead`` is a claim, ``Checkpoint`` a claim that the log's key has signed: only
``open_checkpoint`` makes one.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from ledger.merkle import HASH_BYTES, TREE_SIZE_MAX
from ledger.note import (
    NoteRefused,
    NoteSigner,
    SignedNote,
    VKey,
    parse_note,
    sign_note,
    verify_note,
)

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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head with the note that its log's key has signed, verified."""

    head: TreeHead
    note: bytes


def parse_head(text: bytes) -> TreeHead:
    """The tree head of a note's text; ``NoteRefused`` for another form or extension lines."""
    match = _TEXT.fullmatch(text.decode(errors="replace"))
    if match is None:
        raise NoteRefused("a checkpoint is three lines: origin, size, root")
    head = TreeHead(match[1], int(match[2]), b64decode(match[3]))
    if head.size > TREE_SIZE_MAX or len(head.root) != HASH_BYTES or head.text != text:
        raise NoteRefused("not the one form of a checkpoint")
    return head


def unverified_head(note: bytes) -> tuple[TreeHead, SignedNote]:
    """What a note claims, and its parts, before anything is verified; ``NoteRefused``."""
    signed = parse_note(note)
    return parse_head(signed.text), signed


def open_checkpoint(note: bytes, key: VKey) -> Checkpoint:
    """Read and verify a checkpoint of the log whose origin is the key's name; ``NoteRefused``."""
    head, signed = unverified_head(note)
    if head.origin != key.name:
        raise NoteRefused("the checkpoint is of another log")
    verify_note(signed, key)
    return Checkpoint(head, note)


def sign_checkpoint(head: TreeHead, signer: NoteSigner) -> bytes:
    """The signed note of a tree head. ``ValueError`` when the key is another log's.

    What may be signed at all is decided in ``ledger.signing``.
    """
    if head.origin != signer.vkey.name:
        raise ValueError("a log's key is named like its origin")
    if parse_head(head.text) != head:
        raise ValueError("not a tree head")
    return sign_note(head.text, signer)
