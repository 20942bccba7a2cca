"""Bare broker echo: a segment's bytes to another client and back, MQTT QoS 1, nothing else."""

import asyncio
import socket
import time

import aiomqtt

_THERE, _BACK = "bench/there", "bench/back"
_PATIENCE_S = 30


def echo_seconds(port: int, payload: bytes, count: int) -> list[float]:
    """The round trips of ``count`` messages, one after the other."""
    return asyncio.run(_measure(port, payload, count))


async def _measure(port: int, payload: bytes, count: int) -> list[float]:
    async with _client(port, "bench-echo") as echo, _client(port, "bench-caller") as caller:
        await echo.subscribe(_THERE, qos=1)
        await caller.subscribe(_BACK, qos=1)
        answering = asyncio.create_task(_answer(echo))
        try:
            return [await _round_trip(caller, payload) for _ in range(count)]
        finally:
            answering.cancel()


async def _round_trip(caller: aiomqtt.Client, payload: bytes) -> float:
    started = time.perf_counter()
    await caller.publish(_THERE, payload, qos=1)
    await asyncio.wait_for(anext(caller.messages), _PATIENCE_S)
    return time.perf_counter() - started


async def _answer(echo: aiomqtt.Client) -> None:
    async for message in echo.messages:
        await echo.publish(_BACK, message.payload, qos=1)


def _client(port: int, name: str) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=name,
        timeout=_PATIENCE_S,
        # Else each acknowledgement holds up the next message until the peer's delayed TCP ACK.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
