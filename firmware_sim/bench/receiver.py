"""The bench's GNSS receiver: NMEA 0183 over TCP, as serial servers and gateways offer it."""

import socket

from firmware_sim.bench.listener import Listener


def nmea_listener() -> Listener:
    """A receiver that every client hears from when it has connected."""
    return Listener(_at_once)


async def _at_once(_client: socket.socket) -> bool:
    return True
