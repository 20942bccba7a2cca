"""A log whose database was rolled back: made whole from a copy, and what is missing is named.

What was signed is decided by the fence. The tree is whole when it extends the fence's tree; when it
is shorter, leaves come back from a copy of the published log, and only if they lead to the very
root that was signed. Nothing here signs anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from psycopg import Connection

from exchange.transparency import repository
from ledger import tiles
from ledger.checkpoint import TreeHead, open_checkpoint
from ledger.fence import Fence
from ledger.leaf import parse_entry, statement_leaf_hashes
from ledger.merkle import ProofRefused, consistency_proof, verify_consistency
from ledger.note import NoteRefused, VKey, format_note, parse_note

_BUNDLES_AT_ONCE = 128

Leaves = list[tuple[int, bytes]]
"""(kind, digest) in the order of the log."""
Progress = Callable[[int, int], None]
"""Hears leaves done and leaves in all."""


class EntrySource(Protocol):
    """A copy of the published log."""

    def entries(self, n: int, width: int) -> bytes:
        """The first ``width`` entries of bundle ``n`` (C2SP tlog-tiles); ``CopyLacks``."""


class CopyLacks(Exception):
    """The copy has no such entries; the text says what it lacks."""


class CopyUnfit(Exception):
    """The copy's entries do not lead to what was signed; the text says what to do."""


class FenceUnset(Exception):
    """The fence cannot be set to this note; the text says why."""


class State(StrEnum):
    """How the tree stands to what was signed."""

    WHOLE = "whole"
    """It extends the fence's tree, or nothing was ever signed."""
    SHORT = "short"
    """It has fewer leaves."""
    FORKED = "forked"
    """It has other leaves."""
    NO_FENCE = "no-fence"
    """The log has signed, and its fence is empty or gone."""
    FENCE_BEHIND = "fence-behind"
    """The history has a newer checkpoint than the fence: the fence was rolled back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The tree, and the head in the fence (None when it is empty)."""

    state: State
    tree: TreeHead
    signed: TreeHead | None
    awaited: int
    """Leaves that were put back, and whose records are not here."""

    @property
    def lacking(self) -> int:
        """Leaves that have been signed and are not in the tree."""
        return max(0, self.signed.size - self.tree.size) if self.signed is not None else 0


def stand(conn: Connection[Any], fence: Fence, key: VKey) -> Standing:
    """How the log stands; ``NoteRefused`` for a fence that holds no checkpoint of this key."""
    with conn.transaction():
        head, newest = repository.head(conn), repository.published(conn)
        tree = TreeHead(key.name, head.size, head.root)
        note = fence.read()
        if note is None:
            state = State.WHOLE if newest is None else State.NO_FENCE
            return Standing(state, tree, None, head.awaited)
        signed = open_checkpoint(note, key).head
        state = State.SHORT if tree.size < signed.size else State.WHOLE
        if state is State.WHOLE and not _extends(conn, tree, signed):
            state = State.FORKED
        elif newest is not None and newest.size > signed.size:
            state = State.FENCE_BEHIND
        return Standing(state, tree, signed, head.awaited)


def check_copy(
    conn: Connection[Any], copy: EntrySource, signed: TreeHead, progress: Progress
) -> None:
    """Whether the copy's leaves lead from this tree to the signed one; writes nothing.

    ``CopyLacks`` and ``CopyUnfit`` when they do not.
    """
    with conn.transaction():
        head = repository.head(conn)
        edge = repository.right_edge(conn, head.size)
    size, root = head.size, head.root
    for leaves in _batches(copy, head.size, signed.size):
        grown = tiles.append(size, edge, statement_leaf_hashes(leaves))
        size, root, edge = grown.size, grown.root, grown.edge
        progress(size - head.size, signed.size - head.size)
    _check_root(size, root, signed)


def refill(conn: Connection[Any], copy: EntrySource, signed: TreeHead, progress: Progress) -> int:
    """Put back what the tree lacks, in one transaction, if it leads to the signed root.

    Returns how many leaves. ``CopyLacks`` and ``CopyUnfit`` with the tree as it was.
    """
    with conn.transaction():
        head = repository.lock_head(conn)
        for leaves in _batches(copy, head.size, signed.size):
            first = repository.put_back(conn, leaves)
            progress(first + len(leaves) - head.size, signed.size - head.size)
        whole = repository.head(conn)
        _check_root(whole.size, whole.root, signed)
    return whole.size - head.size


def set_fence(conn: Connection[Any], fence: Fence, note: bytes, key: VKey) -> TreeHead:
    """Set a fence that is empty, gone or was rolled back to the newest note that anyone still has.

    It goes forward only: to a checkpoint of this log that is not older than its history, and
    larger than one that the fence holds; ``FenceUnset`` otherwise. The note is kept with the key's
    own line alone, as the signer writes it. That nobody has a newer one is the operator's word.
    """
    try:
        head = open_checkpoint(note, key).head
    except NoteRefused as refused:
        raise FenceUnset(f"the file holds no checkpoint of this log ({refused})") from None
    newest = repository.published(conn)
    if newest is not None and newest.size > head.size:
        raise FenceUnset(
            f"the file holds the checkpoint of {head.size} leaves, but the history one of "
            f"{newest.size}: give the newest that anyone has"
        )
    if newest is not None and newest.size == head.size and newest.root != head.root:
        raise FenceUnset("the history holds another tree of this size: these are two logs")
    held = fence.read()
    if held is not None and open_checkpoint(held, key).head.size >= head.size:
        raise FenceUnset("the fence holds this checkpoint or a newer one already")
    fence.compare_and_swap(held, _with_line_of(note, key))
    return head


def _with_line_of(note: bytes, key: VKey) -> bytes:
    """The note with the first line of this key and no other."""
    signed = parse_note(note)
    lines = [one for one in signed.signatures if (one.name, one.key_id) == (key.name, key.key_id)]
    return format_note(signed.text, lines[:1])


def _extends(conn: Connection[Any], tree: TreeHead, signed: TreeHead) -> bool:
    if signed.size == 0:
        return True
    try:
        reader = repository.node_reader(conn, tree.size)
        proof = consistency_proof(reader, signed.size, tree.size)
        verify_consistency(signed.size, tree.size, proof, signed.root, tree.root)
    except ProofRefused:
        return False
    return True


def _batches(copy: EntrySource, start: int, end: int) -> Iterator[Leaves]:
    """Leaves ``start`` to ``end`` of the copy, some bundles at a time."""
    at_once = _BUNDLES_AT_ONCE * tiles.TILE_WIDTH
    while start < end:
        until = min(end, start // at_once * at_once + at_once)
        yield _leaves(copy, start, until)
        start = until


def _leaves(copy: EntrySource, start: int, end: int) -> Leaves:
    found: Leaves = []
    for n in range(start // tiles.TILE_WIDTH, (end - 1) // tiles.TILE_WIDTH + 1):
        first = n * tiles.TILE_WIDTH
        width = min(tiles.TILE_WIDTH, end - first)
        entries = _bundle(copy.entries(n, width), n, width)
        found += [_leaf(entry, n) for entry in entries[max(0, start - first) :]]
    return found


def _bundle(data: bytes, n: int, width: int) -> Sequence[bytes]:
    try:
        entries = tiles.decode_bundle(data)
    except ValueError as wrong:
        raise CopyUnfit(f"bundle {n} of the copy is none ({wrong}): use another copy") from None
    if len(entries) < width:
        raise CopyLacks(f"bundle {n} of the copy has {len(entries)} entries, not {width}")
    return entries[:width]


def _leaf(entry: bytes, n: int) -> tuple[int, bytes]:
    try:
        return parse_entry(entry)
    except ValueError:
        raise CopyUnfit(
            f"bundle {n} of the copy holds what is no statement's entry: use another copy"
        ) from None


def _check_root(size: int, root: bytes, signed: TreeHead) -> None:
    if (size, root) != (signed.size, signed.root):
        raise CopyUnfit(
            "the copy's leaves do not lead from this database to the root that was signed: use "
            "another copy, or, if intake has run since the restore, restore the backup once more"
        )
