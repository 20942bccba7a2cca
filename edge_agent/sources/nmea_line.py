"""NMEA 0183 receivers: sentences over TCP, or from a serial device."""

import asyncio
import os
import termios
from collections.abc import Callable

from edge_agent.decode.nmea import NmeaDecoder
from edge_agent.observation import Observation
from edge_agent.sources.port import Batch, Deliver, EndMark, SourceLost

CONNECT_TIMEOUT_S = 10.0

_READ_BYTES = 4_096
_LINE_BYTES_MAX = 512


class NmeaSource:
    """Sentences of one receiver, at ``tcp`` host and port or at a serial ``device``.

    ``stamp`` is the local stamp; with ``replayed`` the sentences' own UTC is the time line.
    """

    def __init__(
        self,
        where: tuple[str, int] | str,
        end: EndMark,
        stamp: Callable[[], float],
        replayed: bool,
        baud: int = 9_600,
    ) -> None:
        tcp = isinstance(where, tuple)
        self.name = f"tcp://{where[0]}:{where[1]}" if tcp else f"serial:{where}"
        self.decoder = NmeaDecoder(replayed)
        self._where, self._baud = where, baud
        self._end, self._stamp = end, stamp

    async def run(self, deliver: Deliver) -> None:
        """Deliver until ``$PHLPEND``; ``SourceLost`` when the line breaks off before it."""
        self.decoder = NmeaDecoder(self.decoder.replayed)
        try:
            reader, close = await self._open()
        except (OSError, TimeoutError, termios.error) as error:
            raise SourceLost(f"{self.name} cannot be opened: {error}") from error
        try:
            await self._sentences(reader, deliver)
        except OSError as error:
            raise SourceLost(f"{self.name} broke off: {error}") from error
        finally:
            close()
        if not self.decoder.ended:
            raise SourceLost(f"{self.name} was closed before the recording's end")

    async def _open(self) -> tuple[asyncio.StreamReader, Callable[[], None]]:
        if isinstance(self._where, tuple):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*self._where)
            return reader, writer.close
        return await _open_device(self._where, self._baud)

    async def _sentences(self, reader: asyncio.StreamReader, deliver: Deliver) -> None:
        rest = b""
        while not self.decoder.ended:
            chunk = await reader.read(_READ_BYTES)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LINE_BYTES_MAX:]
            batch = self._decode(lines)
            if batch.until_ms is not None:
                await deliver(batch)
            if self.decoder.ended:
                self._end.event.set()

    def _decode(self, lines: list[bytes]) -> Batch:
        observations: list[Observation] = []
        for line in lines:
            sentence = line.strip()
            if sentence:
                observation = self.decoder.line(sentence + b"\r\n", self._stamp())
                if observation is not None:
                    observations.append(observation)
        until_ms = observations[-1].stamp_ms if observations else None
        return Batch(tuple(observations), until_ms)


async def _open_device(path: str, baud: int) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise OSError(f"no serial line runs at {baud} baud")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        attributes = termios.tcgetattr(descriptor)
        attributes[0] = attributes[1] = attributes[3] = 0
        attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        reader = asyncio.StreamReader()
        pipe = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - the transport closes it
    except BaseException:
        os.close(descriptor)
        raise
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport.close
