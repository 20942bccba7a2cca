"""Recorded buses of ``tests/data/drives``, frame by frame, and what the pipeline makes of them."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from edge_agent.decode.bus import BusDecoder
from edge_agent.pipeline import Pipeline, Told
from edge_agent.sampler import Sampler
from edge_agent.selection import Selector
from edge_agent.sources.socketcand import StampedFrame
from edge_agent.timebase import Timebase
from schemas.catalogue import SIGNALS

DRIVES = Path(__file__).parents[1] / "data" / "drives"
ETI = DRIVES / "eti_j1939_840_log" / "j1939_840.log"
KEY_ON = DRIVES / "css_2021_j1939_keyon_engine_off_bam" / "keyon.log"
IDLE = DRIVES / "css_us_2021_truck_j1939_idle" / "truck_idle_j1939_first_8000_frames.log.gz"
WANDERING = DRIVES / "truckgps" / "candump-2023-08-08_152318.log"
MINUTE_OF_A_VAN = (
    Path(__file__).parents[1]
    / "data"
    / "buses"
    / "css_dk_2021_van_obd_gnss_imu"
    / "drive_600_to_690_s.log.gz"
)

BUSES = (ETI, KEY_ON, IDLE, WANDERING)


def frames(path: Path) -> Iterator[StampedFrame]:
    """The frames of a candump log: ``(seconds) bus ID#DATA``."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        for line in file:
            stamp, _, frame = line.split()
            identifier, data = frame.split("#")
            yield StampedFrame(
                int(identifier, 16),
                len(identifier) > 3,
                float(stamp.strip("()")) * 1_000,
                bytes.fromhex(data),
            )


def replay(path: Path) -> tuple[list[Told], Timebase, Pipeline]:
    """All that the pipeline tells of a recorded bus."""
    decoder, timebase = BusDecoder(), Timebase()
    pipeline = Pipeline(Sampler(SIGNALS), Selector(), 400)
    told: list[Told] = []
    for frame in frames(path):
        observation = decoder.frame(
            frame.arbitration_id, frame.extended, frame.data, frame.stamp_ms
        )
        if observation is not None:
            told.extend(pipeline.feed(observation, timebase, True))
    return [*told, *pipeline.finish()], timebase, pipeline
