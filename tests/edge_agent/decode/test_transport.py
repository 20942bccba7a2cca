from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decode.iso_tp import IsoTp
from edge_agent.decode.j1939_transport import PACKET_TIMEOUT_MS, Message, Transport

PGN = 65_260
BAM, RTS = 0x20, 0x10


def packets(payload: bytes) -> list[bytes]:
    padded = payload + b"\xff" * (-len(payload) % 7)
    return [bytes([1 + i // 7]) + padded[i : i + 7] for i in range(0, len(padded), 7)]


def announcement(payload: bytes, kind: int = BAM) -> bytes:
    return bytes(
        [kind, *len(payload).to_bytes(2, "little"), -(-len(payload) // 7), 0xFF]
    ) + PGN.to_bytes(3, "little")


def send(transport: Transport, payload: bytes, kind: int = BAM, source: int = 0) -> Message | None:
    transport.connection(source, 255, announcement(payload, kind), 0)
    messages = [
        transport.packet(source, 255, packet, 60.0 * i)
        for i, packet in enumerate(packets(payload), start=1)
    ]
    assert messages[:-1] == [None] * (len(messages) - 1)
    return messages[-1]


@given(st.binary(min_size=9, max_size=1_785), st.sampled_from([BAM, RTS]))
def test_a_message_of_many_packets_is_put_together(payload: bytes, kind: int) -> None:
    assert send(Transport(), payload, kind) == Message(PGN, 0, payload)


def test_messages_of_two_senders_do_not_mix() -> None:
    transport = Transport()
    one, two = b"one message of the first", b"a message of the second."
    transport.connection(1, 255, announcement(one), 0)
    transport.connection(2, 255, announcement(two), 0)
    ended = [
        transport.packet(source, 255, packet, 1)
        for pair in zip(packets(one), packets(two), strict=True)
        for source, packet in zip((1, 2), pair, strict=True)
    ]

    assert [m.data for m in ended if m] == [one, two]


def test_a_missing_packet_or_a_long_pause_drops_the_message() -> None:
    transport = Transport()
    first, second, third = packets(b"twenty-one bytes long")
    transport.connection(0, 255, announcement(b"twenty-one bytes long"), 0)
    transport.packet(0, 255, first, 1)
    assert transport.packet(0, 255, third, 2) is None

    transport.connection(0, 255, announcement(b"twenty-one bytes long"), 0)
    transport.packet(0, 255, first, 1)
    assert transport.packet(0, 255, second, 2 + PACKET_TIMEOUT_MS) is None
    assert transport.packet(0, 255, third, 3 + PACKET_TIMEOUT_MS) is None


def test_an_abort_ends_a_session() -> None:
    transport = Transport()
    transport.connection(0, 9, announcement(b"twenty-one bytes long", RTS), 0)
    transport.connection(9, 0, bytes([0xFF, 3, 0xFF, 0xFF, 0xFF]) + PGN.to_bytes(3, "little"), 1)

    assert all(
        transport.packet(0, 9, packet, 2) is None for packet in packets(b"twenty-one bytes long")
    )


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 3), st.binary(max_size=9), st.floats(0, 1e6)),
        max_size=60,
    )
)
def test_no_transport_frames_raise_and_sessions_stay_bounded(
    sent: list[tuple[bool, int, bytes, float]],
) -> None:
    transport = Transport()
    for connection, source, data, at_ms in sent:
        if connection:
            transport.connection(source, 255, data, at_ms)
        else:
            transport.packet(source, 255, data, at_ms)
    for source in range(200):
        transport.connection(source, 255, announcement(b"x" * 20), 0)

    assert len(transport._sessions) <= 64


def test_an_obd_answer_of_several_frames_is_put_together() -> None:
    frames = ["1014490201544d42", "214a50374e58354e", "2259303834393233"]
    receiver = IsoTp()
    ended = [receiver.frame(0, bytes.fromhex(frame), 0) for frame in frames]

    assert ended == [None, None, b"\x49\x02\x01TMBJP7NX5NY084923"]


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=9)), max_size=60))
def test_no_obd_frames_raise_and_partial_messages_stay_bounded(
    sent: list[tuple[int, bytes]],
) -> None:
    receiver = IsoTp()
    for sender, data in sent:
        receiver.frame(sender, data, 0)

    assert len(receiver._partial) <= 16
