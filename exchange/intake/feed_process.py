"""The feeding process: holds the one session at an MQTT broker and hands its messages to workers.

It exists only for a broker that is reached by MQTT; on NATS the workers pull by themselves.
"""

import asyncio
import hashlib
import signal
import ssl
from collections.abc import Callable
from typing import Any

import stamina
import structlog

from exchange.broker_address import mqtt_address
from exchange.directory import Directory, existing_directory
from exchange.exits import EnvironmentUnfit
from exchange.intake.feed import socket_path
from exchange.intake.feeder import Feeder
from exchange.intake.mqtt import Heard, Login, MqttSession
from exchange.intake.window import Window
from exchange.readiness import tell_ready
from exchange.settings import Settings

log = structlog.get_logger("feed")


def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT, through every absence of the broker and of the workers."""
    asyncio.run(_run(settings))
    return 0


async def feed(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Hold the session and serve workers until ``stop``; ``ready`` is called once subscribed.

    Raises ``EnvironmentUnfit`` when the broker, at the first time, refuses us or can't be trusted.
    """
    directory = existing_directory(settings.dir)
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    feeder = Feeder(lambda: session, Window())
    session = MqttSession(_login(settings, directory), _heard(feeder, refused, ready))
    serving = asyncio.create_task(feeder.serve(socket_path(directory), stop))
    try:
        if await _start(session, settings, stop):
            both: list[asyncio.Future[Any]] = [serving, refused]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            raise EnvironmentUnfit(
                f"the broker at {settings.mqtt_url} does not let {settings.mqtt_user or 'us'} in "
                f"({refused.result()}): check mqtt_user and mqtt_password, and its password file"
            )
    finally:
        feeder.stop()
        await asyncio.to_thread(session.stop)
        stop.set()
        await serving


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await feed(settings, stop, tell_ready)


async def _start(session: MqttSession, settings: Settings, stop: asyncio.Event) -> bool:
    """Connect, however long the broker is away; False when told to stop first."""
    retries = stamina.retry_context(
        on=lambda error: (
            isinstance(error, OSError)
            and not isinstance(error, ssl.SSLCertVerificationError)
            and not stop.is_set()
        ),
        attempts=None,
        timeout=None,
        wait_max=1.0,
        wait_jitter=0.1,
    )
    try:
        async for attempt in retries:
            with attempt:
                await asyncio.to_thread(session.start)
    except ssl.SSLCertVerificationError as error:
        raise EnvironmentUnfit(
            f"the certificate of the broker at {settings.mqtt_url} is not accepted "
            f"({error.verify_message}): check mqtt_ca_file and the name in mqtt_url"
        ) from None
    except OSError:
        return False
    return True


def _heard(feeder: Feeder, refused: asyncio.Future[str], ready: Callable[[], None]) -> Heard:
    loop = asyncio.get_running_loop()
    been_in = False

    def began() -> None:
        nonlocal been_in
        been_in = True
        log.info("broker-there")
        ready()

    def ended(reason: str) -> None:
        feeder.session_ended()
        log.warning("broker-away", reason=reason)

    def not_let_in(reason: str) -> None:
        if been_in:
            log.warning("broker-refuses", reason=reason)
        else:
            loop.call_soon_threadsafe(_settle, refused, reason)

    return Heard(began, ended, not_let_in, feeder.arrived)


def _settle(future: asyncio.Future[str], value: str) -> None:
    if not future.done():
        future.set_result(value)


def _login(settings: Settings, directory: Directory) -> Login:
    """The client id names the session at the broker: the same at every start of this exchange."""
    origin = hashlib.sha256((directory.origin or "").encode()).hexdigest()
    return Login(
        address=mqtt_address(settings.mqtt_url),
        client_id=f"hp-intake-{origin[:12]}",
        user=settings.mqtt_user,
        password=settings.mqtt_password,
        ca_file=settings.mqtt_ca_file or directory.ca_certificate,
    )
