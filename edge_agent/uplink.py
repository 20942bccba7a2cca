"""The uplink: MQTT 3.1.1 over TLS, QoS 1, for as long as the agent runs.

The only file that knows the MQTT library. The outbox owns redelivery; the library's own queue is
empty whenever a connection ends, since a fresh client is made for every session.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import aiomqtt
import stamina

from edge_agent.enrolment import Enrolment
from schemas.wire.topics import ack_topic, refusal_topic, segment_topic

RETRY_WAIT_MAX_S = 60.0

_log = logging.getLogger(__name__)
_RETRY_WAIT_INITIAL_S = 0.5
_RETRY_JITTER_S = 2.0
_RECONNECT_SPREAD_S = 5.0
"""Before a session that had held is made anew."""
_STABLE_S = 30.0
_CONNECT_TIMEOUT_S = 15.0
_PUBACK_TIMEOUT_S = 30.0
_PUBLISH_AT_ONCE = 8
_INCOMING_MAX = 1_000
_KEEPALIVE_S = 30
_SUBACK_FAILURE = 0x80


class Mail(Protocol):
    """What the uplink carries: statements out, acknowledgements and refusals in."""

    async def next_batch(self, limit: int) -> list[tuple[int, bytes]]:
        """Wait until statements are due, and give up to ``limit`` of them with their ids."""

    def connected(self) -> None:
        """A new session has begun."""

    def sent(self, statement_id: int) -> None:
        """The broker has taken this one."""

    async def acknowledged(self, message: bytes) -> None:
        """An acknowledgement came."""

    async def refused(self, message: bytes) -> None:
        """A refusal came."""


@dataclass(slots=True)
class Uplink:
    """Keeps one session open. ``mono_s`` measures how long a session held.

    ``random`` (0 to 1) keeps a fleet that lost its broker in one moment from coming back in one.
    """

    enrolment: Enrolment
    mail: Mail
    mono_s: Callable[[], float]
    random: Callable[[], float]
    connected: bool = False
    sessions: int = 0
    _context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        """``ssl.SSLError`` when the enrolment's CA is none."""
        self._context = ssl.create_default_context(cadata=self.enrolment.ca_pem)

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            async for attempt in stamina.retry_context(
                on=aiomqtt.MqttError,
                attempts=None,
                timeout=None,
                wait_initial=_RETRY_WAIT_INITIAL_S * (1 + self.random()),
                wait_max=RETRY_WAIT_MAX_S * (1 + self.random()) / 2,
                wait_jitter=_RETRY_JITTER_S,
            ):
                with attempt:
                    await self._session()
            await asyncio.sleep(_RECONNECT_SPREAD_S * self.random())

    async def _session(self) -> None:
        """One connection; returns when it had held for a while, so that backoff begins anew."""
        began_s: float | None = None
        try:
            async with self._client() as client:
                await self._subscribe(client)
                self.connected, began_s = True, self.mono_s()
                self.sessions += 1
                self.mail.connected()
                _log.info("connected to the broker")
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._receive(client))
                    group.create_task(self._send(client))
        except (aiomqtt.MqttError, ExceptionGroup) as error:
            text = _link_error(error)
            if began_s is None or self.mono_s() - began_s < _STABLE_S:
                raise aiomqtt.MqttError(text) from None
            _log.info("the broker's connection ended", extra={"error": text})
        finally:
            self.connected = False

    def _client(self) -> aiomqtt.Client:
        enrolment = self.enrolment
        return aiomqtt.Client(
            enrolment.mqtt_host,
            enrolment.mqtt_port,
            username=enrolment.mqtt_username,
            password=enrolment.mqtt_password,
            identifier=enrolment.mqtt_username,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=False,
            timeout=_CONNECT_TIMEOUT_S,
            keepalive=_KEEPALIVE_S,
            tls_context=self._context,
            max_queued_incoming_messages=_INCOMING_MAX,
            max_inflight_messages=_PUBLISH_AT_ONCE,
            # A small packet that waits for the one before it costs a receipt some 90 ms.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        request = self.enrolment.request
        for topic in (ack_topic, refusal_topic):
            granted = await client.subscribe(topic(request.carrier, request.device), qos=1)
            if any(_code(one) >= _SUBACK_FAILURE for one in granted):
                raise aiomqtt.MqttError("the broker does not grant this device its own topics")

    async def _receive(self, client: aiomqtt.Client) -> None:
        request = self.enrolment.request
        readers: dict[str, Callable[[bytes], Awaitable[None]]] = {
            ack_topic(request.carrier, request.device): self.mail.acknowledged,
            refusal_topic(request.carrier, request.device): self.mail.refused,
        }
        async for message in client.messages:
            reader = readers.get(str(message.topic))
            if reader is not None and isinstance(message.payload, bytes | bytearray):
                await reader(bytes(message.payload))

    async def _send(self, client: aiomqtt.Client) -> None:
        request = self.enrolment.request
        topic = segment_topic(request.carrier, request.device)
        while True:
            batch = await self.mail.next_batch(_PUBLISH_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for statement_id, raw in batch:
                    group.create_task(self._publish(client, topic, statement_id, raw))

    async def _publish(
        self, client: aiomqtt.Client, topic: str, statement_id: int, raw: bytes
    ) -> None:
        await client.publish(topic, raw, qos=1, timeout=_PUBACK_TIMEOUT_S)
        self.mail.sent(statement_id)


def _link_error(error: aiomqtt.MqttError | ExceptionGroup) -> str:
    """What was wrong with the link; an error that is none of the link's is raised again."""
    if isinstance(error, aiomqtt.MqttError):
        return str(error)
    links, others = error.split(aiomqtt.MqttError)
    if others is not None:
        raise _first(others)
    return str(_first(error if links is None else links))


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _code(granted: object) -> int:
    """The number of a SUBACK's return code; the library has two forms of it."""
    value = getattr(granted, "value", granted)
    return value if isinstance(value, int) else _SUBACK_FAILURE
