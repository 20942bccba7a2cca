import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.port import Batch, EndMark, SourceLost
from edge_agent.sources.socketcand import SocketcandSource, StampedFrame, read_frame

SPEED_FRAME = b"< frame 18FEF100 1691508198.546234 F700500000000000 >"


@asynccontextmanager
async def server(
    *sent: bytes, greeting: bytes = b"< hi >", answer: bytes = b"< ok >"
) -> AsyncIterator[int]:
    """A socketcand server of a few lines: greets, answers twice, sends, closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            writer.write(greeting)
            for _ in range(2):
                await reader.readuntil(b">")
                writer.write(answer)
            for part in sent:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def heard(
    port: int,
    end: EndMark | None = None,
    stamp: Callable[[], float] | None = None,
    channel: str = "can0",
) -> list[Batch]:
    """What a source delivers until it ends."""
    batches: list[Batch] = []

    async def deliver(batch: Batch) -> None:
        batches.append(batch)

    source = SocketcandSource("127.0.0.1", port, channel, end or EndMark(False, True), stamp)
    await source.run(deliver)
    return batches


def stamps(batches: list[Batch]) -> list[float]:
    return [o.stamp_ms for batch in batches for o in batch.observations]


def test_frames_carry_the_recordings_time_stamps() -> None:
    async def scenario() -> list[Batch]:
        async with server(SPEED_FRAME) as port:
            return await heard(port)

    assert stamps(asyncio.run(scenario())) == [pytest.approx(1_691_508_198_546.234)]


def test_frames_cut_anywhere_are_put_together() -> None:
    async def scenario(cut: int) -> list[Batch]:
        both = SPEED_FRAME + b"\n" + SPEED_FRAME
        async with server(both[:cut], both[cut:]) as port:
            return await heard(port)

    for cut in range(1, len(SPEED_FRAME), 7):
        assert len(stamps(asyncio.run(scenario(cut)))) == 2


def test_frames_right_behind_the_handshake_are_not_lost() -> None:
    async def scenario() -> list[Batch]:
        async with server(answer=b"< ok >" + SPEED_FRAME) as port:
            return await heard(port)

    with pytest.raises(SourceLost, match="instead of"):
        asyncio.run(scenario())

    async def after_rawmode() -> list[Batch]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"< hi >")
            await reader.readuntil(b">")
            writer.write(b"< ok >")
            await reader.readuntil(b">")
            writer.write(b"< ok >" + SPEED_FRAME + SPEED_FRAME)
            await writer.drain()
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listening:
            return await heard(listening.sockets[0].getsockname()[1])

    assert len(stamps(asyncio.run(after_rawmode()))) == 2


def test_a_live_bus_is_stamped_where_it_is_heard() -> None:
    async def scenario() -> list[Batch]:
        async with server(SPEED_FRAME) as port:
            return await heard(port, stamp=lambda: 42.0)

    assert stamps(asyncio.run(scenario())) == [42.0]


def test_a_close_without_the_mark_that_was_expected_is_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.sources.port.MARK_WAIT_S", 0.05)

    async def scenario() -> None:
        async with server(SPEED_FRAME) as port:
            await heard(port, EndMark(expected=True, replayed=True))

    with pytest.raises(SourceLost, match="before the recording's end"):
        asyncio.run(scenario())


def test_a_close_with_the_mark_is_an_end() -> None:
    async def scenario() -> list[Batch]:
        end = EndMark(expected=True, replayed=True)
        async with server(SPEED_FRAME) as port:
            asyncio.get_running_loop().call_later(0.05, end.event.set)
            return await heard(port, end)

    assert len(asyncio.run(scenario())) == 1


def test_a_bus_that_stays_open_after_the_mark_ends_when_it_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.sources.socketcand.QUIET_S", 0.05)

    async def scenario() -> list[Batch]:
        end = EndMark(expected=True, replayed=True)
        end.event.set()
        forever = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"< hi >< ok >< ok >" + SPEED_FRAME)
            await forever.wait()
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listening:
            try:
                return await heard(listening.sockets[0].getsockname()[1], end)
            finally:
                forever.set()

    assert len(asyncio.run(scenario())) == 1


def test_a_bus_that_the_server_does_not_have_is_a_loss_with_its_answer() -> None:
    async def scenario() -> None:
        async with server(answer=b"< error could not open bus >") as port:
            await heard(port)

    with pytest.raises(SourceLost, match="could not open bus"):
        asyncio.run(scenario())


def test_a_server_that_is_not_there_is_a_loss() -> None:
    async def scenario() -> None:
        async with server() as port:
            pass
        await heard(port)

    with pytest.raises(SourceLost, match="does not answer"):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"< frame 123 1.5 1122 ", StampedFrame(0x123, False, 1_500.0, b"\x11\x22")),
        (b" < frame 123 1.5 11 22 ", StampedFrame(0x123, False, 1_500.0, b"\x11\x22")),
        (b"< frame 00000123 1.5 ", StampedFrame(0x123, True, 1_500.0, b"")),
        (b"< error 004 1.5 ", None),
        (b"< frame 123 nan 11 ", None),
        (b"< frame 123 1e30 11 ", None),
        (b"< frame FFF 1.5 11 ", None),
        (b"< frame xyz 1.5 11 ", None),
        (b"< frame 123 1.5 1 ", None),
        (b"", None),
    ],
)
def test_messages_of_the_protocol(message: bytes, expected: StampedFrame | None) -> None:
    assert read_frame(message) == expected


@given(st.binary(max_size=120))
def test_no_message_raises(message: bytes) -> None:
    read_frame(message)
    read_frame(b"< frame " + message)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_no_bytes_of_a_server_raise_out_of_a_source(sent: list[bytes]) -> None:
    source = SocketcandSource("127.0.0.1", 1, "can0", EndMark(False, True), None)

    async def scenario() -> None:
        reader = asyncio.StreamReader()
        for part in sent:
            reader.feed_data(part)
        reader.feed_eof()
        await source._frames(reader, lambda batch: asyncio.sleep(0))

    asyncio.run(scenario())
