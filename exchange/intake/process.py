"""The intake process: waits for database and broker, then one worker until it is told to stop."""

import asyncio
import signal

import psycopg
import stamina
import structlog

from exchange.broker_address import nats_tls
from exchange.directory import Directory, existing_directory
from exchange.intake.feed import FeedQueue, socket_path
from exchange.intake.jetstream import JetStreamQueue, connect_nats
from exchange.intake.pipeline import Intake, Limits
from exchange.intake.queue import SegmentQueue
from exchange.intake.quota import Rates
from exchange.segments.repository import make_partitions
from exchange.settings import Settings
from exchange.store.database import check_durability, connect

_PARTITIONS_EVERY_S = 600

log = structlog.get_logger("intake")


def run(settings: Settings) -> int:
    """One intake process: until SIGTERM or SIGINT, through absences of database and broker."""
    asyncio.run(_run(settings))
    return 0


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """One worker in this process until ``stop``; what ``run`` and the bench do."""
    directory = existing_directory(settings.dir)
    if not await _store_is_there(settings, stop):
        return
    queue = await _queue(settings, directory, stop)
    if queue is None:
        return
    intake = Intake(
        queue,
        lambda: connect(settings),
        origin=directory.origin or "",
        organisation=settings.organisation,
        signer=directory.exchange_signer(),
        limits=Limits(
            settings.batch_messages_max,
            settings.batch_age_ms / 1000,
            settings.ack_interval_s,
            Rates(
                settings.device_messages_per_s,
                settings.carrier_messages_per_s,
                settings.intake_workers,
            ),
        ),
    )
    partitions = asyncio.create_task(_keep_partitions(settings))
    try:
        await intake.run(stop)
    finally:
        partitions.cancel()
        await queue.disconnect()


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


async def _store_is_there(settings: Settings, stop: asyncio.Event) -> bool:
    """Wait for the database; ``StoreUnfit`` when it may lose what it commits."""

    def check() -> None:
        with connect(settings) as conn:
            check_durability(conn)

    retries = stamina.retry_context(
        on=lambda error: isinstance(error, psycopg.OperationalError) and not stop.is_set(),
        attempts=None,
        timeout=None,
        wait_max=1.0,
        wait_jitter=0.1,
    )
    try:
        async for attempt in retries:
            with attempt:
                await asyncio.to_thread(check)
    except psycopg.OperationalError:
        return False
    return True


async def _keep_partitions(settings: Settings) -> None:
    """Without this, rows would one day all go to the partition for the rest."""

    def make() -> int:
        with connect(settings) as conn:
            return make_partitions(conn)

    while True:
        try:
            if made := await asyncio.to_thread(make):
                log.info("partitions-made", partitions=made)
        except psycopg.Error as error:
            log.warning("partitions-wait", error=str(error).strip())
        await asyncio.sleep(_PARTITIONS_EVERY_S)


async def _queue(
    settings: Settings, directory: Directory, stop: asyncio.Event
) -> SegmentQueue | None:
    """The queue of the configured broker; on NATS waits for it. None when told to stop first."""
    if settings.mqtt_url:
        return FeedQueue(socket_path(directory))
    tls = nats_tls(settings.nats_url, settings.nats_ca_file)
    connecting = asyncio.create_task(
        connect_nats(settings.nats_url, settings.nats_user, settings.nats_password, tls)
    )
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([connecting, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if connecting.done():
        return JetStreamQueue(
            connecting.result(),
            settings.stream_bytes_max,
            stream_messages_max=settings.stream_messages_max,
            device_messages_max=settings.device_messages_max,
        )
    connecting.cancel()
    return None
