import asyncio
import time
from uuid import uuid4

import can
import pytest

from edge_agent.sources.can_bus import CanBusSource
from edge_agent.sources.port import Batch, EndMark, SourceLost


def test_frames_of_a_python_can_bus_are_delivered_until_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.sources.can_bus.QUIET_S", 0.1)
    channel = str(uuid4())
    batches: list[Batch] = []

    async def scenario() -> int:
        end = EndMark(expected=True, replayed=True)
        source = CanBusSource("virtual", channel, end, None)

        async def deliver(batch: Batch) -> None:
            batches.append(batch)
            if sum(len(b.observations) for b in batches) >= 200:
                end.event.set()

        listening = asyncio.create_task(source.run(deliver))
        await asyncio.to_thread(send, channel, source)
        await asyncio.wait_for(listening, 10)
        return source.decoder.frames

    assert asyncio.run(scenario()) >= 200
    assert all(o.stamp_ms > 1e12 for b in batches for o in b.observations)


def send(channel: str, source: CanBusSource) -> None:
    with can.Bus(channel=channel, interface="virtual") as bus:
        message = can.Message(
            arbitration_id=0x18FEF100, data=bytes.fromhex("F700500000000000"), is_extended_id=True
        )
        while source.decoder.frames < 200:
            bus.send(message)
            time.sleep(0.001)


def test_a_bus_that_cannot_be_opened_is_a_loss_with_its_reason() -> None:
    async def scenario() -> None:
        source = CanBusSource("slcan", "/nowhere/tty", EndMark(False, False), None)
        await source.run(lambda batch: asyncio.sleep(0))

    with pytest.raises(SourceLost, match="cannot be opened"):
        asyncio.run(scenario())
