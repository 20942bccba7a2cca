"""Receipts and tlog-proofs that no reader may accept, each in one way, and what a reader says."""

from dataclasses import dataclass
from typing import Any

import cbor2

from ledger.checkpoint import TreeHead
from ledger.evidence.reasons import Code
from ledger.merkle import inclusion_proof
from ledger.note import Ed25519NoteSigner, sign_note
from ledger.receipt import protected_header
from ledger.tlog_proof import format_proof
from schemas.cose.sign1 import to_be_signed
from tests.ledger.evidence.proof_files import head_of, receipt_of, tlog_proof_of
from tests.ledger.evidence.world import ORIGIN, Drive, Keys, drive, log_key

UNREADABLE = "unreadable"
"""What a reader says of bytes that are no proof at all (exit 2)."""

_ALG, _KID, _CLAIMS, _VDS, _VDP = 1, 4, 15, 395, 396


@dataclass(frozen=True)
class Forgery:
    """A file, and the reason code (or ``UNREADABLE``) that a reader of ``drive``'s trip gives."""

    data: bytes
    reason: str


class _Forger:
    """Takes an honest receipt apart and signs what it is told to with the true log's key."""

    def __init__(self, honest: Drive) -> None:
        self.world, self.index = honest.world, honest.trip
        self.head = head_of(self.world)
        self.key: Ed25519NoteSigner = self.world.keys.log
        self.path = inclusion_proof(self.world.get_node, self.index, self.head.size)
        self.header: dict[int, Any] = cbor2.loads(protected_header(self.head, self.key.vkey))

    def receipt(
        self,
        *,
        header: dict[int, Any] | None = None,
        size: int | None = None,
        index: int | None = None,
        path: list[bytes] | None = None,
        vdp: int = _VDP,
        tag: int = 18,
        payload: bytes | None = None,
        root: bytes | None = None,
    ) -> bytes:
        protected = cbor2.dumps(self.header if header is None else header)
        proof = [
            self.head.size if size is None else size,
            self.index if index is None else index,
            self.path if path is None else path,
        ]
        signature = self.key.sign(to_be_signed(protected, root or self.head.root))
        parts = [protected, {vdp: {-1: [cbor2.dumps(proof)]}}, payload, signature]
        return cbor2.dumps(cbor2.CBORTag(tag, parts))

    def claims(self, changed: dict[int, Any]) -> dict[int, Any]:
        """The header with other claims; a claim of None is left out."""
        merged = {**self.header[_CLAIMS], **changed}
        kept = {name: value for name, value in merged.items() if value is not None}
        return {**self.header, _CLAIMS: kept}


def forgeries() -> dict[str, Forgery]:
    """Every forgery by the name of its file."""
    honest = drive()
    forge = _Forger(honest)
    size, index, path = forge.head.size, forge.index, forge.path
    bad, cut = str(Code.BAD_RECEIPT), path[:-1]
    stranger = drive(Keys(log=log_key(9)))
    receipts: dict[str, tuple[bytes, str]] = {
        "of_another_leaf": (receipt_of(honest.world, index - 1), bad),
        "of_a_strangers_log": (receipt_of(stranger.world, stranger.trip), "wrong-log-key"),
        "with_another_index": (forge.receipt(index=index - 1), bad),
        "with_another_tree_size": (forge.receipt(size=size + 1), bad),
        "with_a_hash_left_out": (forge.receipt(path=cut), bad),
        "with_a_hash_more": (forge.receipt(path=[*path, bytes(32)]), bad),
        "with_a_changed_hash": (forge.receipt(path=[bytes(32), *path[1:]]), bad),
        "signed_over_another_root": (forge.receipt(root=bytes(32)), bad),
        "without_a_tree_size": (forge.receipt(header=forge.claims({-65537: None})), bad),
        "without_an_issuer": (forge.receipt(header=forge.claims({1: None})), bad),
        "about_another_subject": (forge.receipt(header=forge.claims({2: "v-5f3a"})), bad),
        "of_a_log_of_another_name": (
            forge.receipt(header=forge.claims({1: "b.example", 2: "b.example"})),
            "wrong-log-key",
        ),
        "without_a_key_id": (forge.receipt(header=_without(forge.header, _KID)), bad),
        "of_another_key_id": (
            forge.receipt(header={**forge.header, _KID: bytes(8)}),
            "wrong-log-key",
        ),
        "with_a_label_more": (forge.receipt(header={**forge.header, 1000: 1}), bad),
        "of_another_algorithm": (forge.receipt(header={**forge.header, _ALG: -7}), bad),
        "of_another_tree": (forge.receipt(header={**forge.header, _VDS: 2}), UNREADABLE),
        "with_the_labels_of_old_drafts": (_old_labels(forge), UNREADABLE),
        "with_its_root": (forge.receipt(payload=forge.head.root), UNREADABLE),
        "without_its_tag": (forge.receipt()[1:], UNREADABLE),
        "with_another_tag": (forge.receipt(tag=98), UNREADABLE),
        "with_bytes_after_it": (forge.receipt() + b"\x00", UNREADABLE),
        "in_a_longer_encoding": (_longer(forge.receipt()), UNREADABLE),
    }
    proofs: dict[str, tuple[bytes, str]] = {
        "of_another_leaf": (tlog_proof_of(honest.world, index - 1), "not-in-log"),
        "of_a_strangers_log": (tlog_proof_of(stranger.world, stranger.trip), "wrong-log-key"),
        "with_another_index": (_proof(honest, index - 1, path), "not-in-log"),
        "with_a_hash_left_out": (_proof(honest, index, cut), "not-in-log"),
        "with_a_hash_more": (_proof(honest, index, [*path, bytes(32)]), "not-in-log"),
        "without_a_checkpoint": (format_proof(index, path, b""), "bad-checkpoint"),
        "under_an_older_checkpoint": (_older(honest), "bad-checkpoint-signature"),
        "with_an_index_in_two_forms": (
            tlog_proof_of(honest.world, index).replace(b"index ", b"index 0", 1),
            UNREADABLE,
        ),
        "of_another_version": (
            tlog_proof_of(honest.world, index).replace(b"@v1", b"@v2", 1),
            UNREADABLE,
        ),
    }
    named = {f"{name}.receipt": made for name, made in receipts.items()}
    named |= {f"{name}.tlog-proof": made for name, made in proofs.items()}
    return {name: Forgery(*made) for name, made in named.items()}


def _without(header: dict[int, Any], label: int) -> dict[int, Any]:
    return {name: value for name, value in header.items() if name != label}


def _old_labels(forge: _Forger) -> bytes:
    return forge.receipt(header={**_without(forge.header, _VDS), -111: 1}, vdp=-222)


def _longer(raw: bytes) -> bytes:
    """The length of the protected header in two bytes where one is enough."""
    if raw[2] != 0x58:
        raise AssertionError("a protected header of 24 to 255 bytes")
    return raw[:2] + b"\x59\x00" + raw[3:]


def _proof(honest: Drive, index: int, path: list[bytes]) -> bytes:
    return format_proof(index, path, honest.world.note())


def _older(honest: Drive) -> bytes:
    """The signature of a smaller tree under the text of the true one."""
    world = honest.world
    text, _, _ = world.note().rpartition(b"\n\n")
    smaller = TreeHead(ORIGIN, len(world.statements) - 1, bytes(32))
    signed = sign_note(smaller.text, world.keys.log)
    note = text + b"\n\n" + signed.rpartition(b"\n\n")[2]
    return tlog_proof_of(world, honest.trip, note)
