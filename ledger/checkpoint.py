"""C2SP tlog-checkpoint: a tree head as the text of a signed note.

``TreeHead`` is a claim, ``Checkpoint`` a claim that the log's key has signed: only
``open_checkpoint`` makes one. A log has two keys, both named like its origin: Ed25519 (0x01), which
signs every checkpoint, and ML-DSA-44 (0x06), which adds its line where readers pick one up.
"""

from dataclasses import dataclass

from ledger.cosignature import cosign, verify_cosignature
from ledger.note import (
    COSIGNATURE_ML_DSA_44,
    ED25519,
    NoteRefused,
    NoteSigner,
    SignedNote,
    VKey,
    format_note,
    parse_note,
    sign_note,
    verify_note,
)
from ledger.tree_head import TreeHead, parse_head

__all__ = [
    "LOG_KEY_TYPES",
    "Checkpoint",
    "TreeHead",
    "dual_sign",
    "open_checkpoint",
    "parse_head",
    "sign_checkpoint",
    "unverified_head",
    "verify_log_signature",
]

LOG_KEY_TYPES = (ED25519, COSIGNATURE_ML_DSA_44)
"""Signature types of a log's own keys."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head with the note that its log's key has signed, verified."""

    head: TreeHead
    note: bytes


def unverified_head(note: bytes) -> tuple[TreeHead, SignedNote]:
    """What a note claims, and its parts, before anything is verified; ``NoteRefused``."""
    signed = parse_note(note)
    return parse_head(signed.text), signed


def open_checkpoint(note: bytes, *keys: VKey) -> Checkpoint:
    """Read a checkpoint and verify it by the log's keys, of either type; ``NoteRefused``.

    The origin is the keys' name. One of the keys has to have signed, and no line of any of them
    may be wrong.
    """
    head, signed = unverified_head(note)
    if any(head.origin != key.name for key in keys):
        raise NoteRefused("the checkpoint is of another log")
    there = {(line.name, line.key_id) for line in signed.signatures}
    known = [key for key in keys if _line_of(key) in there]
    if not known:
        raise NoteRefused("the note has no signature of that key")
    for key in known:
        verify_log_signature(signed, key)
    return Checkpoint(head, note)


def verify_log_signature(signed: SignedNote, key: VKey) -> None:
    """Check that a log's key, of either type, signed the checkpoint; ``NoteRefused`` otherwise."""
    if key.type == COSIGNATURE_ML_DSA_44:
        verify_cosignature(signed, key)
    else:
        verify_note(signed, key)


def sign_checkpoint(head: TreeHead, signer: NoteSigner) -> bytes:
    """The signed note of a tree head. ``ValueError`` when the key is another log's.

    What may be signed at all is decided in ``ledger.signing``.
    """
    _check_name(head, signer)
    if parse_head(head.text) != head:
        raise ValueError("not a tree head")
    return sign_note(head.text, signer)


def dual_sign(head: TreeHead, ed25519_note: bytes, ml_dsa_signer: NoteSigner, time_s: int) -> bytes:
    """The note with the log's ML-DSA-44 line beside the Ed25519 one that it has.

    ``time_s`` (POSIX) is when. The note's other lines stay; an older line of this key gives way.
    ``ValueError`` for a note of another head or a key of another log or type: what the first key
    has not signed, the second does not.
    """
    _check_name(head, ml_dsa_signer)
    key = ml_dsa_signer.vkey
    if key.type != COSIGNATURE_ML_DSA_44:
        raise ValueError(f"the second key of a log is ML-DSA-44, not of type {key.type:#04x}")
    signed = parse_note(ed25519_note)
    if signed.text != head.text:
        raise ValueError("the note is of another tree head")
    others = [line for line in signed.signatures if (line.name, line.key_id) != _line_of(key)]
    return format_note(signed.text, [*others, cosign(head, ml_dsa_signer, time_s)])


def _check_name(head: TreeHead, signer: NoteSigner) -> None:
    if head.origin != signer.vkey.name:
        raise ValueError("a log's key is named like its origin")


def _line_of(key: VKey) -> tuple[str, bytes]:
    return key.name, key.key_id
