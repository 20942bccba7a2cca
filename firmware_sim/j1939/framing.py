"""Records to frames: a real drive in synthetic framing, at the records' own times.

A parameter that the record has no value for is sent as not available; a group without any value is
not sent at all. Nothing is repeated, held or invented.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping

from firmware_sim.drives.model import Frame, Record, Value
from firmware_sim.j1939.messages import MESSAGES, VIN, Message
from firmware_sim.j1939.slot import raw_of
from firmware_sim.j1939.transport import PACKET_SPACING_NS, broadcast

BUS = "can0"

_BITS = 64
_ALL_ONES = (1 << _BITS) - 1
_VI_PGN = 0xFEEC
_WAITING_MAX = 256
"""Packets that wait for their turn: a file that names a vehicle in every row has no end of them."""


def frames_of(records: Iterable[Record]) -> Iterator[Frame]:
    """The frames of a drive in order of time. A VIN is broadcast when it is first seen or changes.

    One sender has one broadcast under way at a time, so a second one waits for the first.
    """
    pending: list[tuple[int, int, Frame]] = []
    vin: Value | None = None
    sent, free_from_ns = 0, 0
    for record in records:
        while pending and pending[0][0] <= record.time_ns:
            yield heapq.heappop(pending)[2]
        yield from parameter_frames(record)
        if record.values.get(VIN, vin) != vin and len(pending) < _WAITING_MAX:
            vin = record.values[VIN]
            packets = vin_frames(max(record.time_ns, free_from_ns), str(vin))
            free_from_ns = packets[-1].time_ns + PACKET_SPACING_NS
            for frame in packets:
                heapq.heappush(pending, (frame.time_ns, sent := sent + 1, frame))
    while pending:
        yield heapq.heappop(pending)[2]


def parameter_frames(record: Record) -> Iterator[Frame]:
    """One frame for each group that the record has a value of, all at the record's time."""
    for message in MESSAGES:
        payload = payload_of(message, record.values)
        if payload is not None:
            yield Frame(record.time_ns, BUS, message.can_id, True, payload)


def payload_of(message: Message, values: Mapping[str, Value]) -> bytes | None:
    """The 8 bytes of a group; None when there is no value that it can say."""
    bits = _ALL_ONES
    for parameter in message.parameters:
        value = values.get(parameter.path)
        raw = None if value is None else raw_of(parameter, value)
        if raw is not None:
            mask = (1 << parameter.bits) - 1
            bits &= ~(mask << parameter.start_bit)
            bits |= raw << parameter.start_bit
    return None if bits == _ALL_ONES else bits.to_bytes(_BITS // 8, "little")


def vin_frames(time_ns: int, vin: str) -> list[Frame]:
    """The vehicle identification (SPN 237, closed by an asterisk) as a broadcast of packets."""
    return broadcast(_VI_PGN, f"{vin}*".encode("ascii"), time_ns, BUS)
