"""The process that the broker asks about every device that connects (NATS auth callout)."""

import asyncio
import collections
import contextlib
import signal
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nats
import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg_pool import ConnectionPool

from exchange.broker_address import nats_tls
from exchange.broker_decision import (
    Asked,
    Cause,
    NotAdmitted,
    PasswordHashes,
    asked_by,
    check_password,
    device_named,
    login_in,
    response_claims,
    user_claims,
)
from exchange.devices.repository import mqtt_secret_hash
from exchange.directory import existing_directory, read_secrets
from exchange.embedded.nats import HP_ACCOUNT
from exchange.nkey_tokens import NkeyIssuer, read_claims
from exchange.readiness import tell_ready
from exchange.settings import Settings
from exchange.store.database import pool

SUBJECT = "$SYS.REQ.USER.AUTH"
QUEUE = "broker-auth"
AT_ONCE = 8
REPORT_EVERY_S = 60.0
_TOKEN_BYTES_MAX = 65_536
_PING_INTERVAL_S = 5
"""Two unanswered pings end a connection that fell silent without a word."""

log = structlog.get_logger("broker-auth")


@dataclass(frozen=True)
class DatabasePasswords:
    """``PasswordHashes`` over the device table."""

    connections: ConnectionPool[psycopg.Connection[Any]]

    def password_hash(self, carrier: str, device: str) -> bytes | None:
        """SHA-256 of the device's password; ``NotAdmitted(unavailable)`` without a database."""
        try:
            with self.connections.connection(timeout=5) as connection:
                return mqtt_secret_hash(connection, carrier, device)
        except psycopg.Error:
            raise NotAdmitted(Cause.UNAVAILABLE) from None


class Responder:
    """Answers requests one by one; counts what it admitted and what it refused, by cause."""

    def __init__(
        self, issuer: NkeyIssuer, passwords: PasswordHashes, now_s: Callable[[], int]
    ) -> None:
        self._issuer = issuer
        self._passwords = passwords
        self._now_s = now_s
        self.counted: collections.Counter[str] = collections.Counter()

    def answer(self, token: bytes) -> bytes | None:
        """The signed answer to a request; None when the request names nobody to answer."""
        try:
            claims = self._claims(token)
            asked = asked_by(claims)
        except NotAdmitted as refused:
            self.counted[refused.cause] += 1
            return None
        try:
            user = self._admit(asked, claims)
        except NotAdmitted as refused:
            self.counted[refused.cause] += 1
            return self._respond(asked, error=refused.cause.value)
        self.counted["admitted"] += 1
        return self._respond(asked, user_jwt=user)

    def _claims(self, token: bytes) -> object:
        try:
            if len(token) > _TOKEN_BYTES_MAX:
                raise NotAdmitted(Cause.MALFORMED)
            return read_claims(token)
        except ValueError:
            raise NotAdmitted(Cause.MALFORMED) from None

    def _admit(self, asked: Asked, claims: object) -> str:
        login = login_in(claims)
        device = device_named(login)
        check_password(login, self._passwords.password_hash(device.carrier, device.device))
        return self._issuer.sign(
            user_claims(
                asked,
                device,
                issuer=self._issuer.public,
                account=HP_ACCOUNT,
                now_s=self._now_s(),
            )
        )

    def _respond(self, asked: Asked, *, user_jwt: str = "", error: str = "") -> bytes:
        claims = response_claims(
            asked, issuer=self._issuer.public, now_s=self._now_s(), user_jwt=user_jwt, error=error
        )
        return self._issuer.sign(claims).encode()


def run(settings: Settings) -> int:
    """Answer until SIGTERM; the broker and the database may come and go."""
    held = read_secrets(existing_directory(settings.dir).nats_secrets)
    with pool(settings, size_max=AT_ONCE) as connections:
        issuer, passwords = NkeyIssuer(held["issuer_seed"]), DatabasePasswords(connections)
        responder = Responder(issuer, passwords, lambda: int(time.time()))
        credentials = (held["callout_user"], held["callout_password"])
        tls = nats_tls(settings.nats_url, settings.nats_ca_file)
        asyncio.run(_serve_until_sigterm(settings.nats_url, credentials, responder, tls))
    return 0


async def serve(
    url: str,
    credentials: tuple[str, str],
    responder: Responder,
    ready: Callable[[], None],
    stopping: asyncio.Event,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Connect as the callout's user and answer, at most ``AT_ONCE`` at a time, until told."""
    slots = asyncio.Semaphore(AT_ONCE)
    working: set[asyncio.Task[None]] = set()

    async def respond(message: Msg) -> None:
        try:
            answer = await asyncio.to_thread(responder.answer, message.data)
            if answer is not None and message.reply:
                await message.respond(answer)
        finally:
            slots.release()

    async def take(message: Msg) -> None:
        await slots.acquire()
        task = asyncio.create_task(respond(message))
        working.add(task)
        task.add_done_callback(working.discard)

    client = await _connect(url, *credentials, tls)
    try:
        await client.subscribe(SUBJECT, queue=QUEUE, cb=take)
        await client.flush()
        ready()
        await _report(responder, stopping)
    finally:
        await client.close()


async def _serve_until_sigterm(
    url: str, credentials: tuple[str, str], responder: Responder, tls: ssl.SSLContext | None
) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await serve(url, credentials, responder, tell_ready, stopping, tls)


async def _connect(url: str, user: str, password: str, tls: ssl.SSLContext | None) -> Client:
    async def complain(error: Exception) -> None:
        log.warning("broker", error=type(error).__name__)

    return await nats.connect(
        url,
        user=user,
        password=password,
        tls=tls,
        name="broker-auth",
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        ping_interval=_PING_INTERVAL_S,
        error_cb=complain,
    )


async def _report(responder: Responder, stopping: asyncio.Event) -> None:
    """Log the counts when they changed, once a minute and at the end."""
    reported: dict[str, int] = {}
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), REPORT_EVERY_S)
        if responder.counted != reported:
            reported = dict(responder.counted)
            log.info("connections", **reported)
