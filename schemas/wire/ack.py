"""The acknowledgement: a checkpoint, receipts of one device under it, and their multi-proof.

It needs no signature of its own: the agent takes digests from its own bytes and the log's key from
its enrolment.
"""

from dataclasses import dataclass
from itertools import pairwise

from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import BOOT_BYTES, DIGEST_BYTES, SEQ_MAX

ACK_BYTES_MAX = 65_536
RECEIPTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """One statement's place in the log."""

    boot: bytes
    seq: int
    index: int


@dataclass(frozen=True, slots=True)
class Ack:
    """A checkpoint note with its Ed25519 line only, receipts by ascending index, sibling hashes."""

    note: bytes
    receipts: tuple[Receipt, ...]
    hashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The message's bytes."""
        receipts = [[receipt.boot, receipt.seq, receipt.index] for receipt in self.receipts]
        return cbor.encode_ordered({1: 1, 2: self.note, 3: receipts, 4: self.hashes})


def decode(message: bytes) -> Ack:
    """Read an acknowledgement's form, its proof unchecked; ``StatementRefused`` otherwise."""
    if len(message) > ACK_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, "an acknowledgement is too large")
    fields = cbor.take_map(cbor.decode(message), "an acknowledgement", (1, 2, 3, 4))
    cbor.take_version(fields[1], "an acknowledgement")
    items = cbor.take_list(fields[3], "receipts")
    if not 0 < len(items) <= RECEIPTS_MAX:
        raise malformed(f"not 1 to {RECEIPTS_MAX} receipts")
    receipts = tuple(_read_receipt(item) for item in items)
    if any(a.index >= b.index for a, b in pairwise(receipts)):
        raise malformed("receipts are not in the order of their indices")
    hashes = cbor.take_list(fields[4], "hashes")
    return Ack(
        note=cbor.take_bytes(fields[2], "the checkpoint"),
        receipts=receipts,
        hashes=tuple(cbor.take_bytes(item, "a hash", DIGEST_BYTES) for item in hashes),
    )


def _read_receipt(item: object) -> Receipt:
    boot, seq, index = cbor.take_list(item, "a receipt", 3)
    return Receipt(
        boot=cbor.take_bytes(boot, "boot", BOOT_BYTES),
        seq=cbor.take_uint(seq, "seq", SEQ_MAX),
        index=cbor.take_uint(index, "the index"),
    )
