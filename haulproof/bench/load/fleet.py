"""The bench's fleet: admitted devices that sign the samples of the shipped drive."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.drives import RecordDrive, open_drive, shipped_drive
from firmware_sim.drives.shipped import ECLIPSE_TRUCK
from firmware_sim.fleet import FleetDevice, FleetPlan, blocks_of
from haulproof.bench.load.admission import Enrolled

_T0_MS = 1_750_000_000_000
_BETWEEN_BOOTS_MS = 400 * 86_400_000


@dataclass(frozen=True, slots=True)
class Member:
    """A device: its place in the fleet, what it signs with, its way to the broker."""

    number: int
    device: FleetDevice
    enrolled: Enrolled


class Fleet:
    """Members, and the plan of what they sign next; every plan is a new boot of all of them."""

    def __init__(
        self, devices: Sequence[FleetDevice], enrolled: Sequence[Enrolled], origin: str
    ) -> None:
        self.members = [
            Member(number, device, place)
            for number, (device, place) in enumerate(zip(devices, enrolled, strict=True))
        ]
        self.blocks = drive_blocks()
        self._origin = origin
        self._boots = 0

    def next_plan(self, segments_each: int) -> FleetPlan:
        """``segments_each`` of every device, under a boot and in a time of their own."""
        self._boots += 1
        t0 = _T0_MS + self._boots * _BETWEEN_BOOTS_MS
        return FleetPlan(self._origin, segments_each, t0, self._boots, self.blocks)

    def shared_out(self, processes: int) -> list[list[Member]]:
        """The members dealt to so many processes; none of them is left without one."""
        dealt = [self.members[n::processes] for n in range(processes)]
        return [part for part in dealt if part]


def sending_processes() -> int:
    """How many processes a load is sent by: as many as the machine has cores."""
    return os.cpu_count() or 1


def drive_blocks() -> tuple[bytes, ...]:
    """The samples of the shipped drive, as every device of the bench signs them."""
    drive = open_drive(shipped_drive(ECLIPSE_TRUCK) or Path(ECLIPSE_TRUCK))
    if not isinstance(drive, RecordDrive):
        raise TypeError("the shipped drive is one of records")
    return blocks_of(drive)
