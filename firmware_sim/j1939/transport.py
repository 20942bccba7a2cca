"""Broadcast announce messages (SAE J1939-21): groups of more than 8 bytes, in packets of 7."""

from firmware_sim.drives.model import Frame
from firmware_sim.j1939.messages import ENGINE

PACKET_BYTES = 7
PACKETS_MAX = 255
PACKET_SPACING_NS = 60_000_000
"""The standard allows 50 to 200 ms; real engines were seen at 60."""

_PRIORITY = 7
_EVERYONE = 0xFF
_CONNECTION = 0xEC00
_DATA = 0xEB00
_ANNOUNCE = 0x20


def broadcast(pgn: int, payload: bytes, time_ns: int, channel: str) -> list[Frame]:
    """The announcement at ``time_ns`` and its packets, evenly spaced after it.

    ``ValueError`` when the payload is not of 9 to 1785 bytes.
    """
    packets = -(-len(payload) // PACKET_BYTES)
    if len(payload) <= 8 or packets > PACKETS_MAX:
        raise ValueError("a broadcast carries 9 to 1785 bytes")
    announcement = (
        bytes([_ANNOUNCE])
        + len(payload).to_bytes(2, "little")
        + bytes([packets, 0xFF])
        + pgn.to_bytes(3, "little")
    )
    frames = [Frame(time_ns, channel, _id(_CONNECTION), True, announcement)]
    for number in range(packets):
        part = payload[number * PACKET_BYTES : (number + 1) * PACKET_BYTES]
        data = bytes([number + 1]) + part.ljust(PACKET_BYTES, b"\xff")
        at_ns = time_ns + (number + 1) * PACKET_SPACING_NS
        frames.append(Frame(at_ns, channel, _id(_DATA), True, data))
    return frames


def _id(pgn: int) -> int:
    return _PRIORITY << 26 | (pgn | _EVERYONE) << 8 | ENGINE
