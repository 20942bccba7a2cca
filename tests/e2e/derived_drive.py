"""A drive file all the way to its trips, in one process: no socket, no broker, no database.

What the bench truck would send is decoded, merged and sampled by the agent's own parts, and the
samples go to the derivation as they would come out of segments (which cut them, and change none).
"""

from dataclasses import dataclass
from pathlib import Path

from edge_agent.decode.bus import BusDecoder
from edge_agent.decode.nmea import NmeaDecoder
from edge_agent.observation import Observation
from edge_agent.pipeline import Pipeline, Step, Told
from edge_agent.sampler import Sample, Sampler
from edge_agent.selection import Selector
from edge_agent.timebase import Timebase
from firmware_sim.bench.moments import Moment, moments, start_ms
from firmware_sim.drives import Drive, FrameDrive, open_drive
from firmware_sim.drives.model import MS_NS
from schemas.catalogue import SIGNALS
from schemas.statements.trip_content import TripContent
from tests.exchange.derive import recordings

NOW_MS = 1_700_000_000_000
"""When a drive without absolute time is played."""

_GRACE_MS = 400


@dataclass(slots=True)
class Derived:
    """What the agent samples of a drive, and the trips that follow from it."""

    samples: list[Sample]
    trips: tuple[TripContent, ...]

    @property
    def km(self) -> float:
        """The longest trip's distance, by odometer if there is one."""
        return max((_metres(trip) for trip in self.trips), default=0) / 1_000

    @property
    def seconds(self) -> set[int]:
        return {sample.t_ms // 1_000 for sample in self.samples}


def derived(path: Path) -> Derived:
    return derived_drive(open_drive(path))


def derived_drive(drive: Drive) -> Derived:
    samples = sampled(drive)
    rows = tuple((sample.t_ms, sample.cells) for sample in samples)
    played = recordings.Drive(rows, rows[-1][0] if rows else None)
    return Derived(samples, recordings.trips_of(played) if rows else ())


def sampled(drive: Drive) -> list[Sample]:
    truck = _Truck(alone=isinstance(drive, FrameDrive))
    for moment in moments(drive, start_ms(drive.facts, NOW_MS), fill_in=False):
        truck.hear(moment)
    return truck.finish()


class _Truck:
    """The agent's decoders, time lines and pipeline, fed in the order of time."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._bus, self._receiver = BusDecoder(), NmeaDecoder(replayed=True)
        self._bus_line, self._receiver_line = Timebase(), Timebase()
        self._pipeline = Pipeline(Sampler(SIGNALS), Selector(), _GRACE_MS)
        self._told: list[Told] = []

    def hear(self, moment: Moment) -> None:
        if moment.frame is not None:
            frame = moment.frame
            at_ms = frame.time_ns // 1_000 / 1_000
            heard = self._bus.frame(frame.can_id, frame.extended, frame.data, at_ms)
            self._feed(heard, self._bus_line)
        for line in moment.sentences.splitlines():
            heard = self._receiver.line(line + b"\r\n", moment.time_ns / MS_NS)
            self._feed(heard, self._receiver_line)

    def finish(self) -> list[Sample]:
        """The samples; a step of the clock moves those before it, as it moves an open segment."""
        samples: list[Sample] = []
        for told in [*self._told, *self._pipeline.finish()]:
            if isinstance(told, Step):
                moved = round(told.step_ms)
                samples = [Sample(sample.t_ms + moved, sample.cells) for sample in samples]
            elif isinstance(told, Sample):
                samples.append(told)
        return samples

    def _feed(self, heard: Observation | None, line: Timebase) -> None:
        if heard is not None:
            self._told += self._pipeline.feed(heard, line, self._alone)


def _metres(trip: TripContent) -> int:
    return trip.odometer_m or (trip.gnss_mm or 0) // 1_000
