"""The body of ``add-checkpoint`` and of its 409 (C2SP tlog-witness), in the one form of each."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from ledger.merkle import HASH_BYTES, TREE_SIZE_MAX

REQUEST_BYTES_MAX = 262_144
"""Enough for the longest proof and a note with dozens of ML-DSA-44 lines."""
PROOF_HASHES_MAX = 63
SIZE_TYPE = "text/x.tlog.size"
"""Media type of a conflict's body: the size that the witness last cosigned."""
SIZE_BYTES_MAX = 20

_SIZE = r"(0|[1-9][0-9]{0,18})"
_OLD = re.compile(rf"old {_SIZE}")
_TOLD = re.compile(rf"{_SIZE}\n")
_HASH = re.compile(r"[A-Za-z0-9+/]{43}=")


class RequestMalformed(ValueError):
    """Bytes that are no request, or no size; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint to cosign, and why it extends the tree that the witness last cosigned."""

    old_size: int
    proof: tuple[bytes, ...]
    """Consistency proof (RFC 6962) from ``old_size`` to the checkpoint; empty from 0."""
    note: bytes
    """The checkpoint, a signed note."""


def format_request(request: AddCheckpoint) -> bytes:
    """The body of a POST to ``add-checkpoint``."""
    hashes = "".join(f"{b64encode(one).decode()}\n" for one in request.proof)
    return f"old {request.old_size}\n{hashes}\n".encode() + request.note


def parse_request(body: bytes) -> AddCheckpoint:
    """Read a body; ``RequestMalformed``. The note in it is not looked at."""
    if len(body) > REQUEST_BYTES_MAX:
        raise RequestMalformed("the request is too large")
    head, separator, note = body.partition(b"\n\n")
    lines = head.decode("ascii", errors="replace").split("\n")
    match = _OLD.fullmatch(lines[0])
    if not separator or match is None:
        raise RequestMalformed("a request is: old <size>, the proof, an empty line, a checkpoint")
    if len(lines) - 1 > PROOF_HASHES_MAX:
        raise RequestMalformed(f"a proof has at most {PROOF_HASHES_MAX} hashes")
    return AddCheckpoint(_size(match[1]), tuple(_hash(line) for line in lines[1:]), note)


def format_size(size: int) -> bytes:
    """The body of a conflict."""
    return f"{size}\n".encode()


def parse_size(body: bytes) -> int:
    """The size in a conflict's body; ``RequestMalformed``."""
    match = _TOLD.fullmatch(body[: SIZE_BYTES_MAX + 1].decode("ascii", errors="replace"))
    if match is None:
        raise RequestMalformed("a conflict's body is a size and a newline")
    return _size(match[1])


def _size(text: str) -> int:
    size = int(text)
    if size > TREE_SIZE_MAX:
        raise RequestMalformed("the size is larger than a tree can be")
    return size


def _hash(line: str) -> bytes:
    data = b64decode(line) if _HASH.fullmatch(line) else b""
    if len(data) != HASH_BYTES or b64encode(data).decode() != line:
        raise RequestMalformed("a line of the proof is not a hash in base64")
    return data
