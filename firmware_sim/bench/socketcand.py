"""The bench's CAN bus: a socketcand server that speaks raw mode, as python-can's client expects it.

Source: linux-can/socketcand, doc/protocol.md. Frames carry the drive's time stamps.
"""

import asyncio
import re
import socket

from firmware_sim.bench.listener import Listener
from firmware_sim.drives.model import Frame

BUS = "can0"

_COMMAND = re.compile(rb"<\s*([^<>]*?)\s*>")
_COMMAND_BYTES_MAX = 1_024
_HANDSHAKE_S_MAX = 30.0
_READ_BYTES = 4_096


def socketcand_listener() -> Listener:
    """A bus on which every client hears the drive from when it switched to raw mode."""
    return Listener(_shake_hands)


def frame_message(frame: Frame) -> bytes:
    """``< frame ID SECONDS DATA >``; the stamp is UTC to the microsecond."""
    identifier = f"{frame.can_id:08X}" if frame.extended else f"{frame.can_id:03X}"
    seconds, rest_ns = divmod(frame.time_ns, 10**9)
    stamp = f"{seconds}.{rest_ns // 1_000:06d}"
    return f"< frame {identifier} {stamp} {frame.data.hex().upper()} >".encode("ascii")


async def _shake_hands(client: socket.socket) -> bool:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"< hi >")
    opened, said = False, b""
    try:
        async with asyncio.timeout(_HANDSHAKE_S_MAX):
            while len(said) < _COMMAND_BYTES_MAX:
                heard = await loop.sock_recv(client, _READ_BYTES)
                if not heard:
                    return False
                said += heard
                while command := _COMMAND.search(said):
                    said = said[command.end() :]
                    answer, opened, raw = _answer(command[1].decode("ascii", "replace"), opened)
                    await loop.sock_sendall(client, answer)
                    if raw:
                        _mark(client)
                        return True
    except TimeoutError:
        return False
    return False


def _answer(command: str, opened: bool) -> tuple[bytes, bool, bool]:
    """What to say to a command, whether a bus is open then, and whether raw mode begins."""
    if command == f"open {BUS}":
        return b"< ok >", True, False
    if command.startswith("open "):
        return b"< error could not open bus >", False, False
    if command == "rawmode" and opened:
        return b"< ok >", True, True
    if command == "echo":
        return b"< echo >", opened, False
    return b"< error unknown command >", opened, False


def _mark(client: socket.socket) -> None:
    """End the handshake with an urgent byte, at which a read stops and which it never returns.

    python-can's client takes whatever one read returns for the answer, and fails when the first
    frames come with it; the mark parts the two however slowly the client reads.
    """
    client.send(b"!", socket.MSG_OOB)
