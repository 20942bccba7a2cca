"""Transparent statements (RFC 9943): a signed statement that carries its receipts.

They stand in its unprotected header under label 394. The log's entry is of the statement without
them, whose unprotected header is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.receipt import RECEIPT_BYTES_MAX
from schemas.cose import cbor, sign1
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import STATEMENT_BYTES_MAX

RECEIPTS_MAX = 16
TRANSPARENT_BYTES_MAX = STATEMENT_BYTES_MAX + RECEIPTS_MAX * (RECEIPT_BYTES_MAX + 8)

_RECEIPTS = 394


@dataclass(frozen=True, slots=True)
class Transparent:
    """A statement as its log has it, and its receipts, the preferred one first."""

    statement: bytes
    receipts: tuple[bytes, ...]


def attach(statement: bytes, receipts: Sequence[bytes]) -> bytes:
    """The statement with its receipts (1 to 16); ``StatementRefused`` for bytes that are none."""
    read = sign1.parse(statement)
    if not 0 < len(receipts) <= RECEIPTS_MAX:
        raise ValueError(f"a transparent statement has 1 to {RECEIPTS_MAX} receipts")
    return sign1.of_parts(read.protected, {_RECEIPTS: list(receipts)}, read.payload, read.signature)


def detach(raw: bytes) -> Transparent:
    """The parts of a transparent statement; ``StatementRefused`` for anything else."""
    if len(raw) > TRANSPARENT_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {TRANSPARENT_BYTES_MAX} bytes")
    protected, unprotected, payload, signature = sign1.parts_of(raw)
    receipts = cbor.take_list(
        cbor.take_map(unprotected, "the unprotected header", (_RECEIPTS,))[_RECEIPTS], "receipts"
    )
    if not 0 < len(receipts) <= RECEIPTS_MAX:
        raise malformed(f"a transparent statement has 1 to {RECEIPTS_MAX} receipts")
    bare = sign1.of_parts(protected, {}, payload, signature)
    return Transparent(
        sign1.parse(bare).raw, tuple(cbor.take_bytes(item, "a receipt") for item in receipts)
    )
