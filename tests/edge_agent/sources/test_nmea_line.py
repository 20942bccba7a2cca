import asyncio
import os
import pty
import tty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.nmea_line import NmeaSource
from edge_agent.sources.port import Batch, EndMark, SourceLost
from tests.edge_agent.decode.test_nmea import NOON_MS, rmc, sentence

END = sentence("PHLPEND")


async def heard(where: tuple[str, int] | str, end: EndMark) -> list[Batch]:
    batches: list[Batch] = []

    async def deliver(batch: Batch) -> None:
        batches.append(batch)

    await NmeaSource(where, end, lambda: 7.0, replayed=True).run(deliver)
    return batches


def over_tcp(*sent: bytes) -> tuple[list[Batch], bool]:
    async def scenario() -> tuple[list[Batch], bool]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for part in sent:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        end = EndMark(expected=True, replayed=True)
        async with listening:
            batches = await heard(listening.sockets[0].getsockname()[:2], end)
        return batches, end.is_set

    return asyncio.run(scenario())


def test_sentences_cut_anywhere_are_put_together_and_the_end_is_marked() -> None:
    sent = rmc() + END
    for cut in range(1, len(sent), 11):
        batches, marked = over_tcp(sent[:cut], sent[cut:])
        assert [o.stamp_ms for b in batches for o in b.observations] == [NOON_MS]
        assert marked


def test_a_receiver_that_closes_without_the_end_is_lost() -> None:
    with pytest.raises(SourceLost, match="before the recording's end"):
        over_tcp(rmc())


def test_a_receiver_that_is_not_there_is_lost() -> None:
    with pytest.raises(SourceLost, match="cannot be opened"):
        asyncio.run(heard("/nowhere/ttyUSB0", EndMark(True, True)))


def test_a_serial_line_is_read() -> None:
    async def scenario() -> list[Batch]:
        primary, secondary = pty.openpty()
        tty.setraw(secondary)
        os.write(primary, rmc() + END)
        try:
            return await heard(os.ttyname(secondary), EndMark(True, True))
        finally:
            os.close(primary)
            os.close(secondary)

    batches = asyncio.run(scenario())
    assert [o.stamp_ms for b in batches for o in b.observations] == [NOON_MS]


@given(st.lists(st.binary(max_size=700), max_size=6))
def test_no_bytes_of_a_receiver_raise_out_of_a_source(sent: list[bytes]) -> None:
    async def scenario() -> None:
        reader = asyncio.StreamReader()
        for part in sent:
            reader.feed_data(part)
        reader.feed_eof()
        source = NmeaSource(("127.0.0.1", 1), EndMark(True, True), lambda: 0.0, replayed=True)
        await source._sentences(reader, lambda batch: asyncio.sleep(0))

    asyncio.run(scenario())
