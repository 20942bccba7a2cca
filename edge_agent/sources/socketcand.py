"""Client of a socketcand server in raw mode: frames with the server's time stamps.

python-can has one too; it spins when the server closes, loses its place after a line break and
fails when the first frames come in the same read as the handshake's answer (docs/adr/0041).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import NamedTuple

from edge_agent.decode.bus import BusDecoder
from edge_agent.observation import Observation
from edge_agent.sources.port import QUIET_S, Batch, Deliver, EndMark, SourceLost

CONNECT_TIMEOUT_S = 10.0

_READ_BYTES = 65_536
_MESSAGE_BYTES_MAX = 512
_STANDARD_DIGITS = 3
_FRAME_BYTES_MAX = 64


class StampedFrame(NamedTuple):
    """A data frame as the server sent it, time in ms."""

    arbitration_id: int
    extended: bool
    stamp_ms: float
    data: bytes


def read_frame(message: bytes) -> StampedFrame | None:
    """The data frame of ``< frame ID SECONDS DATA``; None for every other or broken message."""
    words = message.split()
    if len(words) < 4 or words[0] != b"<" or words[1] != b"frame":
        return None
    try:
        arbitration_id, stamp_ms = int(words[2], 16), float(words[3]) * 1_000
        data = bytes.fromhex(b"".join(words[4:]).decode("ascii"))
    except ValueError:
        return None
    extended = len(words[2]) > _STANDARD_DIGITS
    known = 0 <= arbitration_id <= (0x1FFFFFFF if extended else 0x7FF)
    if not known or not 0 <= stamp_ms < 1e14 or len(data) > _FRAME_BYTES_MAX:
        return None
    return StampedFrame(arbitration_id, extended, stamp_ms, data)


class SocketcandSource:
    """Frames of one bus. ``stamp`` is the stamp of a live bus; None keeps the server's."""

    def __init__(
        self,
        host: str,
        port: int,
        channel: str,
        end: EndMark,
        stamp: Callable[[], float] | None,
    ) -> None:
        self.name = f"socketcand://{host}:{port}/{channel}"
        self.decoder = BusDecoder()
        self.invalid = 0
        """Messages that are no data frame."""
        self._host, self._port, self._channel = host, port, channel
        self._end, self._stamp = end, stamp

    async def run(self, deliver: Deliver) -> None:
        """Deliver until the server closes at the recording's end; ``SourceLost`` otherwise."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise SourceLost(f"{self.name} does not answer: {error}") from error
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._handshake(reader, writer)
            await self._frames(reader, deliver)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise SourceLost(f"{self.name} broke off: {error}") from error
        except asyncio.LimitOverrunError as error:
            raise SourceLost(f"{self.name} speaks no socketcand") from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for command, answer in (
            (b"", b"< hi >"),
            (f"< open {self._channel} >".encode(), b"< ok >"),
            (b"< rawmode >", b"< ok >"),
        ):
            writer.write(command)
            await writer.drain()
            said = (await reader.readuntil(b">")).strip()
            if said != answer:
                raise SourceLost(f"{self.name} answers {said[:80]!r} instead of {answer!r}")

    async def _frames(self, reader: asyncio.StreamReader, deliver: Deliver) -> None:
        rest = b""
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    chunk = await reader.read(_READ_BYTES)
            except TimeoutError:
                if self._end.is_set:
                    return
                continue
            if not chunk:
                break
            *messages, rest = (rest + chunk).split(b">")
            rest = rest[-_MESSAGE_BYTES_MAX:]
            batch = self._decode(messages)
            if batch.until_ms is not None:
                await deliver(batch)
        if not await self._end.closed_in_order():
            raise SourceLost(f"{self.name} was closed before the recording's end")

    def _decode(self, messages: list[bytes]) -> Batch:
        observations: list[Observation] = []
        stamp_ms: float | None = None
        local_ms = None if self._stamp is None else self._stamp()
        for message in messages:
            frame = read_frame(message)
            if frame is None:
                self.invalid += 1
                continue
            stamp_ms = frame.stamp_ms if local_ms is None else local_ms
            observation = self.decoder.frame(
                frame.arbitration_id, frame.extended, frame.data, stamp_ms
            )
            if observation is not None:
                observations.append(observation)
        return Batch(tuple(observations), stamp_ms)
