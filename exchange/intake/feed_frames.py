"""What the feeder and its workers say to each other: CBOR with its length before it.

    worker → feeder   [1, messages at most, age in ms]     wants a batch
                      [2, [token…]]                        has committed these or kept them aside
                      [3, [[topic, payload]…]]             has these for devices
    feeder → worker   [[token, topic, payload, received µs]…]

A batch is sent only when one is wanted. Both ends are processes of one exchange and of one user.
"""

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from enum import IntEnum
from typing import Any

import cbor2

BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Payloads in one batch; a frame is larger by what surrounds them."""
_FRAME_BYTES_MAX = 64 * 1024 * 1024
_LENGTH_BYTES = 4


class Said(IntEnum):
    """What a worker says."""

    WANT = 1
    DONE = 2
    ANSWER = 3


def write_frame(writer: StreamWriter, content: object) -> None:
    """Queue a frame; the caller drains."""
    encoded = cbor2.dumps(content)
    writer.write(len(encoded).to_bytes(_LENGTH_BYTES, "big"))
    writer.write(encoded)


async def read_frame(reader: StreamReader) -> Any:
    """The next frame's content; ``EOFError`` at the end, torn or not, and for no frame."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        if size > _FRAME_BYTES_MAX:
            raise EOFError
        return cbor2.loads(await reader.readexactly(size))
    except (IncompleteReadError, cbor2.CBORDecodeError):
        raise EOFError from None
