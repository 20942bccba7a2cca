"""Puts the parts of a run together from configuration and enrolment."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from edge_agent.clock import Clock
from edge_agent.configuration import SOURCE_CLOCK, Configuration
from edge_agent.delivery import Delivery
from edge_agent.enrolment import Enrolment
from edge_agent.mail import OutboxMail
from edge_agent.outbox import Outbox
from edge_agent.pipeline import Pipeline
from edge_agent.recorder import Limits, Recorder, Storage
from edge_agent.run import Ambient, Run
from edge_agent.sampler import Sampler
from edge_agent.sealer import Identity, Sealer
from edge_agent.selection import Selector
from edge_agent.sources.address import can_source, nmea_source
from edge_agent.sources.port import EndMark, Lane, Source
from edge_agent.timebase import ClockQuality, Timebase
from edge_agent.uplink import Uplink
from schemas.catalogue import SIGNALS
from schemas.cose.keys import Signer
from schemas.limits import BOOT_BYTES

REPLAY_GRACE_MS, LIVE_GRACE_MS = 400, 900
"""How late a reading may reach its second: a receiver's epoch comes after the moment it names."""


def assemble(
    configuration: Configuration,
    enrolment: Enrolment,
    signer: Signer,
    outbox: Outbox,
    thread: ThreadPoolExecutor,
    ambient: Ambient,
) -> Run:
    """Wire the parts of one run; ``SourceUrlRefused`` for an address that means nothing."""
    storage = Storage(outbox, thread)
    sources, lanes = _sources(configuration, ambient.clock)
    request = enrolment.request
    identity = Identity(signer, request.issuer, enrolment.vehicle, request.origin)
    replayed = configuration.clock == SOURCE_CLOCK
    grace_ms = REPLAY_GRACE_MS if replayed else LIVE_GRACE_MS
    resend_ms = (enrolment.ack_interval_s + configuration.resend_after_s) * 1_000
    woken = asyncio.Event()
    recorder = Recorder(
        storage=storage,
        sealer=Sealer(identity, ambient.random_bytes),
        clock=ambient.clock,
        limits=Limits(configuration.segment_samples, configuration.unsent_megabytes << 20),
        quality=lambda: _best_quality(lanes),
        boot=ambient.random_bytes(BOOT_BYTES),
        mono_ms=lambda utc_ms: 0.0,
        sealed=woken,
    )
    mail = OutboxMail(storage, Delivery(resend_ms, ambient.random), enrolment, ambient.clock, woken)
    uplink = Uplink(enrolment, mail, lambda: ambient.clock.mono_ms() / 1_000, ambient.random)
    pipeline = Pipeline(Sampler(SIGNALS), Selector(), grace_ms)
    run = Run(configuration, ambient, recorder, pipeline, mail, uplink, sources, lanes)
    recorder.mono_ms = run.mono_ms
    return run


def _sources(configuration: Configuration, clock: Clock) -> tuple[list[Source], list[Lane]]:
    replayed = configuration.clock == SOURCE_CLOCK
    end = EndMark(expected=bool(configuration.nmea), replayed=replayed)
    shared = Timebase(clock.utc_ms() - clock.mono_ms(), clock.quality())
    sources = [
        can_source(url, end, None if replayed else clock.mono_ms) for url in configuration.can
    ] + [nmea_source(url, end, clock.mono_ms, replayed) for url in configuration.nmea]
    lanes = [
        Lane(source.name, Timebase() if replayed else shared, waits=replayed) for source in sources
    ]
    return sources, lanes


def _best_quality(lanes: Sequence[Lane]) -> ClockQuality:
    qualities = [lane.timebase.quality for lane in lanes]
    return max(qualities, key=lambda q: (q.source, -q.uncertainty_ms))
