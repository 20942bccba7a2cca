"""What truck and exchange say to each other besides statements."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycddl import Schema

from schemas.cose import cbor
from schemas.errors import StatementRefused
from schemas.wire import ack, refusal, topics
from schemas.wire.ack import Ack, Receipt
from schemas.wire.refusal import Refusal
from tests.schemas.test_vectors import CDDL

ACK = Ack(b"note", (Receipt(bytes(8), 0, 4), Receipt(bytes(8), 1, 9)), (bytes(32),))

hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=5)
indices = st.lists(st.integers(0, 2**62), min_size=1, max_size=8, unique=True).map(sorted)


@given(st.binary(), indices, hashes)
def test_an_acknowledgement_survives_the_wire(
    note: bytes, places: list[int], siblings: list[bytes]
) -> None:
    receipts = tuple(Receipt(bytes(8), seq, index) for seq, index in enumerate(places))
    sent = Ack(note, receipts, tuple(siblings))

    assert ack.decode(sent.encode()) == sent
    Schema((CDDL / "ack.cddl").read_text()).validate_cbor(sent.encode())


@pytest.mark.parametrize(
    "change",
    [
        {1: 2},
        {2: "note"},
        {3: []},
        {3: [[bytes(8), 0, 5], [bytes(8), 1, 5]]},
        {3: [[bytes(8), 0, 5], [bytes(8), 1, 4]]},
        {3: [[bytes(7), 0, 5]]},
        {3: [[bytes(8), -1, 5]]},
        {3: [[bytes(8), 0]]},
        {4: [bytes(31)]},
        {5: 0},
    ],
)
def test_an_acknowledgement_of_another_form_is_refused(change: dict[int, Any]) -> None:
    with pytest.raises(StatementRefused):
        ack.decode(cbor.encode({**cbor.decode(ACK.encode()), **change}))


def test_an_acknowledgement_too_large_is_refused() -> None:
    with pytest.raises(StatementRefused, match="too-large"):
        ack.decode(bytes(ack.ACK_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "sent",
    [
        Refusal(bytes(8), 7, bytes(32), "bad-signature", permanent=True),
        Refusal(None, None, bytes(32), "malformed", permanent=False),
    ],
)
def test_a_refusal_survives_the_wire(sent: Refusal) -> None:
    assert refusal.decode(sent.encode()) == sent
    Schema((CDDL / "refusal.cddl").read_text()).validate_cbor(sent.encode())


@pytest.mark.parametrize(
    "parts",
    [
        [None, 1, bytes(32), "x", True],
        [bytes(8), None, bytes(32), "x", True],
        [bytes(8), 1, bytes(31), "x", True],
        [bytes(8), 1, bytes(32), "", True],
        [bytes(8), 1, bytes(32), "x", 1],
        [bytes(8), 1, bytes(32), "x"],
    ],
)
def test_a_refusal_of_another_form_is_refused(parts: list[object]) -> None:
    with pytest.raises(StatementRefused):
        refusal.decode(cbor.encode(parts))


def test_a_topic_names_carrier_and_device() -> None:
    topic = topics.segment_topic("acme", "d-1")

    assert topic == "hp/v1/acme/d-1/seg"
    assert topics.parse_segment_topic(topic) == ("acme", "d-1")
    assert topics.ack_topic("acme", "d-1") == "hp/v1/acme/d-1/ack"
    assert topics.refusal_topic("acme", "d-1") == "hp/v1/acme/d-1/ref"
    assert topics.configuration_topic("acme", "d-1") == "hp/v1/acme/d-1/cfg"


@pytest.mark.parametrize(
    "topic",
    ["", "hp/v1/acme/d-1", "hp/v1/acme/d-1/ack", "hp/v2/acme/d-1/seg", "hp/v1/+/d-1/seg"],
)
def test_any_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(StatementRefused, match="wrong-topic"):
        topics.parse_segment_topic(topic)
