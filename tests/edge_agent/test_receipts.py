from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.outbox import Held
from edge_agent.receipts import ReceiptRefused, read_acknowledgement, verified_leaves
from edge_agent.refusals import verified_refusal
from ledger.note import Ed25519NoteSigner
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.wire.ack import Ack, Receipt
from schemas.wire.refusal import Refusal
from tests.edge_agent.broker import CARRIER, DEVICE, Broker
from tests.edge_agent.fake_exchange import ORIGIN, FakeExchange
from tests.edge_agent.opened import BOOT, SPEED, opened, sealer

ISSUER = f"hp:{CARRIER}/{DEVICE}"
BROKER = Broker(Path(), 0, 0, "")


def committed(count: int = 5) -> tuple[FakeExchange, Ack, dict[tuple[bytes, int], Held]]:
    """A log with statements of others between ours, an acknowledgement of ours, what we hold."""
    exchange = FakeExchange.make(BROKER)
    ours, seal = [], sealer()
    held = {}
    for seq in range(count):
        others = seal.seal(opened([{SPEED: seq}], 100 + seq), b"\1" * 32, 0)[0]
        exchange.commit(sign1.parse(others.raw))
        sealed = seal.seal(opened([{SPEED: seq}], seq), b"\1" * 32, 0)[0]
        ours.append(sign1.parse(sealed.raw))
        exchange.commit(ours[-1])
        held[BOOT, seq] = Held(seq + 10, Kind.SEGMENT, sealed.digest, "sealed")
    return exchange, exchange.ack(ours), held


def test_a_proof_over_our_own_bytes_settles_them() -> None:
    exchange, ack, held = committed()

    assert verified_leaves(ack, held, exchange.log_signer.vkey) == {
        seq + 10: 2 * seq + 1 for seq in range(5)
    }


def test_a_receipt_of_what_we_do_not_hold_proves_nothing() -> None:
    exchange, ack, held = committed()
    del held[BOOT, 3]

    with pytest.raises(ReceiptRefused, match="not held"):
        verified_leaves(ack, held, exchange.log_signer.vkey)


def test_a_receipt_for_other_bytes_under_our_name_proves_nothing() -> None:
    exchange, ack, held = committed()
    held[BOOT, 2] = held[BOOT, 2]._replace(digest=bytes(32))

    with pytest.raises(ReceiptRefused):
        verified_leaves(ack, held, exchange.log_signer.vkey)


def test_a_statement_logged_as_another_kind_proves_nothing() -> None:
    exchange, ack, held = committed()
    held[BOOT, 2] = held[BOOT, 2]._replace(kind=Kind.GAP)

    with pytest.raises(ReceiptRefused):
        verified_leaves(ack, held, exchange.log_signer.vkey)


def test_a_checkpoint_of_another_log_proves_nothing() -> None:
    _, ack, held = committed()
    stranger = FakeExchange.make(BROKER)

    with pytest.raises(ReceiptRefused):
        verified_leaves(ack, held, stranger.log_signer.vkey)
    assert isinstance(stranger.log_signer, Ed25519NoteSigner)


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_a_changed_byte_of_the_checkpoint_proves_nothing(position: int) -> None:
    exchange, ack, held = committed()
    note = bytearray(ack.note)
    note[position % len(note)] ^= 1

    with pytest.raises(ReceiptRefused):
        verified_leaves(replace(ack, note=bytes(note)), held, exchange.log_signer.vkey)


def test_changed_missing_and_leftover_hashes_and_indices_prove_nothing() -> None:
    exchange, ack, held = committed()
    first = ack.receipts[0]
    moved = (Receipt(first.boot, first.seq, 0), *ack.receipts[1:])
    for wrong in (
        replace(ack, hashes=ack.hashes[:-1]),
        replace(ack, hashes=(*ack.hashes, bytes(32))),
        replace(ack, hashes=(bytes(32), *ack.hashes[1:])),
        replace(ack, receipts=moved),
        replace(ack, receipts=(*ack.receipts[:-1], replace(ack.receipts[-1], index=1 << 40))),
    ):
        with pytest.raises(ReceiptRefused):
            verified_leaves(wrong, held, exchange.log_signer.vkey)


@pytest.mark.parametrize("message", [b"", b"\xff", b"\xa0", b"x" * 70_000])
def test_bytes_that_are_no_acknowledgement_are_refused(message: bytes) -> None:
    with pytest.raises(ReceiptRefused):
        read_acknowledgement(message)


REFUSAL = Refusal(BOOT, 3, bytes(32), "malformed", True)


def test_a_refusal_by_an_enrolled_key_is_read() -> None:
    exchange = FakeExchange.make(BROKER)
    message = exchange.signed_refusal(REFUSAL, ISSUER)

    assert verified_refusal(message, [exchange.key.public], ORIGIN, ISSUER) == REFUSAL


def test_refusals_by_strangers_for_others_or_of_other_logs_are_not_acted_on() -> None:
    exchange = FakeExchange.make(BROKER)
    keys = [exchange.key.public]
    message = exchange.signed_refusal(REFUSAL, ISSUER)
    stranger = exchange.signed_refusal(REFUSAL, ISSUER, SoftwareSigner.generate())
    for wrong, origin, device in (
        (stranger, ORIGIN, ISSUER),
        (message, "another/log", ISSUER),
        (message, ORIGIN, "hp:acme/dev-2"),
        (message[:-1] + bytes([message[-1] ^ 1]), ORIGIN, ISSUER),
        (b"", ORIGIN, ISSUER),
    ):
        with pytest.raises(StatementRefused):
            verified_refusal(wrong, keys, origin, device)


def test_a_segment_is_no_refusal() -> None:
    signer = SoftwareSigner.generate()
    sealed = sealer(signer).seal(opened([{SPEED: 1}]), b"", 0)[0]

    with pytest.raises(StatementRefused, match="not a refusal"):
        verified_refusal(sealed.raw, [signer.public], ORIGIN, ISSUER)
