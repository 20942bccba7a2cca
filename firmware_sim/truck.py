"""The bench truck: one drive, played once on two sockets, from the first listener to the end."""

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.bench.listener import LOOPBACK
from firmware_sim.bench.moments import moments, start_ms
from firmware_sim.bench.pace import Clock, Pace
from firmware_sim.bench.player import Played, Player
from firmware_sim.bench.receiver import nmea_listener
from firmware_sim.bench.socketcand import BUS, socketcand_listener
from firmware_sim.drives.model import MS_NS, Drive, FrameDrive
from firmware_sim.fill_in import missing_paths

SYNTHETIC = "real drive, synthetic framing"

LINGER_S = 5.0
"""How long clients may take to close after the end."""


@dataclass(frozen=True, slots=True)
class Truck:
    """What to play, and how. Port 0 is any free one; ``wait_timeout_s`` None waits for ever."""

    drive: Drive
    speed: float = 1.0
    can_port: int = 0
    nmea_port: int = 0
    fill_in: bool = False
    wait_timeout_s: float | None = None

    @property
    def framing(self) -> str:
        """Whose frames are played: the recorder's, or ours around what it measured."""
        return "recorded" if isinstance(self.drive, FrameDrive) else SYNTHETIC

    @property
    def filled_in(self) -> tuple[str, ...]:
        """The signals that are sent though nobody recorded them."""
        return missing_paths(self.drive) if self.fill_in else ()


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the truck can be heard, and the UTC in ms of the drive's first and last items."""

    can: str
    nmea: str
    t_zero_ms: int
    t_end_ms: int

    def as_json(self, truck: Truck) -> dict[str, object]:
        """What a program that starts the truck needs to know."""
        facts = truck.drive.facts
        return {
            "can": self.can,
            "nmea": self.nmea,
            "drive": truck.drive.name,
            "format": facts.format,
            "framing": truck.framing,
            "fill_in": list(truck.filled_in),
            "speed": truck.speed,
            "t_zero_ms": self.t_zero_ms,
            "t_end_ms": self.t_end_ms,
            "absolute": facts.absolute,
            "seconds_with_data": facts.seconds,
            "span_s": round(facts.span_s, 3),
            "items": facts.items,
            "signals": list(facts.signals),
            "left_out": list(facts.left_out),
            "notes": list(facts.notes),
        }


async def drive_truck(
    truck: Truck,
    clock: Clock,
    now_ms: int,
    played: Played,
    announce: Callable[[Bench], None],
    progress: Callable[[int], None],
) -> None:
    """Listen, announce the addresses, wait for listeners, play, end in order.

    ``played`` counts along. ``progress`` hears the drive's time in ns. ``OSError`` when a port is
    taken or not allowed, ``NobodyListens`` when nobody connects in time.
    """
    player = Player(socketcand_listener(), nmea_listener(), played)
    try:
        can_port, nmea_port = player.can.bind(truck.can_port), player.nmea.bind(truck.nmea_port)
        facts = truck.drive.facts
        t_zero_ms = start_ms(facts, now_ms)
        announce(
            Bench(
                can=f"socketcand://{LOOPBACK}:{can_port}/{BUS}",
                nmea=f"tcp://{LOOPBACK}:{nmea_port}",
                t_zero_ms=t_zero_ms,
                t_end_ms=t_zero_ms + (facts.last_ns - facts.first_ns) // MS_NS,
            )
        )
        await player.wait_for_clients(truck.wait_timeout_s)
        pace = Pace(clock, truck.speed, t_zero_ms * MS_NS)
        await player.play(moments(truck.drive, t_zero_ms, bool(truck.filled_in)), pace, progress)
        await player.finish(LINGER_S)
    finally:
        await player.can.close()
        await player.nmea.close()
