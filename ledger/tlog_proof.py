"""C2SP tlog-proof: the inclusion of one entry, with the checkpoint it leads to, as a text file.

Lines: ``c2sp.org/tlog-proof@v1``, optionally ``extra`` and base64 (which nothing signs), ``index``
and the entry's index, the hashes of the path in base64 with the leaf's sibling first, an empty
line, and the checkpoint with its signatures.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.merkle import HASH_BYTES, TREE_SIZE_MAX, ProofRefused
from ledger.note import NOTE_BYTES_MAX

MEDIA_TYPE = "text/plain; charset=utf-8"
FIRST_LINE = b"c2sp.org/tlog-proof@v1\n"
EXTRA_BYTES_MAX = 65_536
PROOF_BYTES_MAX = NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX
PATH_HASHES_MAX = 63

_HEAD = re.compile(
    rb"c2sp\.org/tlog-proof@v1\n(?:extra ([A-Za-z0-9+/]+={0,2})\n)?index (0|[1-9][0-9]{0,18})\n"
    rb"((?:[A-Za-z0-9+/]{43}=\n)*)\n"
)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The content of a file, as it was read: nothing in it has been verified."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    """The checkpoint, a signed note; not parsed yet."""
    extra: bytes = b""
    """Whatever the maker added; no signature covers it."""


def format_proof(index: int, path: Sequence[bytes], note: bytes) -> bytes:
    """The file's bytes."""
    hashes = b"".join(b64encode(item) + b"\n" for item in path)
    return FIRST_LINE + b"index %d\n" % index + hashes + b"\n" + note


def parse_proof(data: bytes) -> TlogProof:
    """Read a file; ``ProofRefused`` when it is not in its one form."""
    if len(data) > PROOF_BYTES_MAX:
        raise ProofRefused(f"a tlog-proof has at most {PROOF_BYTES_MAX} bytes")
    match = _HEAD.match(data)
    if match is None:
        raise ProofRefused("a tlog-proof is a first line, an index, hashes, and a checkpoint")
    extra, index, lines = match[1] or b"", int(match[2]), match[3].split(b"\n")[:-1]
    if index > TREE_SIZE_MAX or len(lines) > PATH_HASHES_MAX:
        raise ProofRefused("the proof is for a tree larger than any")
    path = tuple(_from_base64(line) for line in lines)
    if any(len(item) != HASH_BYTES for item in path):
        raise ProofRefused("a hash is not 32 bytes")
    return TlogProof(index, path, data[match.end() :], _from_base64(extra))


def _from_base64(text: bytes) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except Base64Error:
        raise ProofRefused("not base64") from None
    if b64encode(data) != text:
        raise ProofRefused("not the one base64 form of its bytes")
    return data
