"""An MQTT 3.1.1 session with manual acknowledgement, kept at the broker while we are away.

The one file that knows paho. Its thread reads, connects again by itself and calls back; a callback
that blocks stops the reading, and then the broker keeps what is more.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from exchange.broker_address import BrokerAddress

SUBSCRIPTION = "hp/v1/+/+/seg"

_KEEPALIVE_S = 30
_CONNECT_TIMEOUT_S = 10.0
_RECONNECT_FIRST_S = 1
_RECONNECT_MOST_S = 10
_ANSWERS_AT_ONCE = 1_000
_ANSWERS_MAX = 10_000
"""Answers that the broker has not taken yet; more are left out, and the devices ask again."""


@dataclass(frozen=True, slots=True)
class Login:
    """How the exchange names itself, and by which authorities it knows the broker."""

    address: BrokerAddress
    client_id: str
    user: str
    password: str = field(repr=False)
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Heard:
    """What is called in the session's thread; ``message`` with packet id, topic, payload."""

    began: Callable[[], None]
    ended: Callable[[str], None]
    refused: Callable[[str], None]
    message: Callable[[int, str, bytes], None]


class MqttSession:
    """One session: subscribed to what devices publish, for as long as it runs."""

    def __init__(self, login: Login, heard: Heard) -> None:
        self._login = login
        self._heard = heard
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(login.user, login.password)
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.reconnect_delay_set(_RECONNECT_FIRST_S, _RECONNECT_MOST_S)
        client.max_inflight_messages_set(_ANSWERS_AT_ONCE)
        client.max_queued_messages_set(_ANSWERS_MAX)
        if login.address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=str(login.ca_file)))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client = client

    def start(self) -> None:
        """Connect and begin to read; ``OSError`` when the broker is not there, or not ours."""
        self._client.connect(self._login.address.host, self._login.address.port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave; the broker keeps the session. No callback may be blocked any more."""
        client = self._client
        client.disconnect()
        client.loop_stop()
        # Without this circle the client ends here, and closes the sockets that woke its thread.
        client.on_connect = client.on_subscribe = client.on_disconnect = client.on_message = None
        del self._client

    def acknowledge(self, packet_id: int) -> None:
        """The broker may forget this message."""
        self._client.ack(packet_id, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """At QoS 1; kept for a connection that is being made again, within a bound."""
        self._client.publish(topic, payload, qos=1)

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: Any,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Any,
    ) -> None:
        if reason.is_failure:
            self._heard.refused(str(reason))
            return
        client.subscribe(SUBSCRIPTION, qos=1)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: Any,
        _packet_id: int,
        reasons: list[ReasonCode],
        _properties: Any,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._heard.refused(f"no subscription to {SUBSCRIPTION}")
        else:
            self._heard.began()

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: Any,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Any,
    ) -> None:
        self._heard.ended(str(reason))

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        packet_id = message.mid if message.qos else 0
        self._heard.message(packet_id, message.topic, bytes(message.payload))
