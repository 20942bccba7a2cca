"""Many devices' MQTT sessions in one loop, as agents open them: 3.1.1 over TLS, each by its name.

The only file of the fleet that knows the MQTT library. One process turns hundreds of sessions by
one selector, so that a fleet costs little beside the exchange that is measured on the same cores.
What the broker has not acknowledged when a connection is lost, the library sends again.
"""

import selectors
import ssl
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import cast

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from haulproof.bench.load.admission import CARRIER
from haulproof.bench.load.fleet import Member
from schemas.wire.topics import ack_topic, segment_topic

_CONNECTING_AT_ONCE = 16
_CONNECT_S = 60.0
_CONNECT_AGAIN_S = 0.5
_KEEP_ALIVE_S = 600
"""Connected devices are not turned while others of the crew still sign."""
_LOOK_AFTER_EACH_S = 1.0
_TURN_S = 0.1
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Link:
    """One device's session: publishes its segments, counts those that wait for their PUBACK."""

    def __init__(self, member: Member, hears: Callable[[bytes], None] | None) -> None:
        enrolled, device = member.enrolled, member.device.device
        self.up = False
        self.in_flight = 0
        self.refused = ""
        self._topic = segment_topic(CARRIER, device)
        self._acks = ack_topic(CARRIER, device)
        self._hears = hears
        self._where = enrolled.host, enrolled.port
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=enrolled.username, clean_session=False
        )
        client.username_pw_set(enrolled.username, enrolled.password)
        client.tls_set_context(_trusting(enrolled.ca_pem))
        client.max_inflight_messages_set(0)  # whoever publishes keeps count
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self.client = client

    def connect(self) -> None:
        """Open the connection; ``up`` once the broker has let it in."""
        self.client.connect(*self._where, keepalive=_KEEP_ALIVE_S)

    def publish(self, raw: bytes) -> None:
        """Send by QoS 1, as soon as the connection takes it."""
        self.in_flight += 1
        self.client.publish(self._topic, raw, qos=1)

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: object, reason: object, _more: object
    ) -> None:
        if reason != 0:
            self.refused = str(reason)
        elif self._hears is None:
            self.up = True
        else:
            client.subscribe(self._acks, qos=1)

    def _on_subscribe(self, *_told: object) -> None:
        self.up = True

    def _on_disconnect(self, *_told: object) -> None:
        self.up = False

    def _on_publish(self, *_told: object) -> None:
        self.in_flight -= 1

    def _on_message(self, _client: mqtt.Client, _userdata: object, told: mqtt.MQTTMessage) -> None:
        if self._hears is not None:
            self._hears(bytes(told.payload))


class Links:
    """The sessions of a process, turned together."""

    def __init__(self) -> None:
        self.reconnected = 0
        self._links: list[Link] = []
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Link, int] = {}
        self._again: dict[Link, float] = {}
        self._looked_after = 0.0

    def connect(self, links: Iterable[Link]) -> None:
        """Connect all; ``TimeoutError`` with the broker's reason when one is not let in."""
        connecting: list[Link] = []
        for link in links:
            link.client.on_socket_close = partial(self._forget, link)
            link.connect()
            self._links.append(link)
            self._watch(link)
            connecting.append(link)
            if len(connecting) >= _CONNECTING_AT_ONCE:
                connecting = self._wait_for_one(connecting)
        while connecting:
            connecting = self._wait_for_one(connecting)

    def turn(self, wait_s: float) -> list[Link]:
        """Read and write what can be, waiting at most ``wait_s``; who heard something."""
        heard = []
        for key, events in self._selector.select(max(0.0, wait_s)):
            link: Link = key.data
            if events & _READ:
                self._read(link)
                heard.append(link)
            self._write(link)
        self._look_after()
        return heard

    def publish(self, link: Link, raw: bytes) -> None:
        """Send; what the socket does not take now is written when it can be."""
        link.publish(raw)
        if link.client.want_write():
            self._watch(link)

    def close(self) -> None:
        """Say good-bye to the broker; sessions stay, as an agent's do."""
        for link in self._links:
            link.client.disconnect()
        self._selector.close()

    def _wait_for_one(self, connecting: list[Link]) -> list[Link]:
        deadline = time.monotonic() + _CONNECT_S
        while all(not link.up for link in connecting):
            self.turn(_TURN_S)
            refused = next((link.refused for link in connecting if link.refused), "")
            if refused or time.monotonic() > deadline:
                raise TimeoutError(f"the broker lets no device in: {refused or 'no answer'}")
        return [link for link in connecting if not link.up]

    def _read(self, link: Link) -> None:
        link.client.loop_read()
        # What TLS has decrypted already would not wake the selector.
        while isinstance(held := link.client.socket(), ssl.SSLSocket) and held.pending():
            link.client.loop_read()

    def _write(self, link: Link) -> None:
        if link.client.want_write():
            link.client.loop_write()
        self._watch(link)

    def _watch(self, link: Link) -> None:
        """Have the selector wait for what the link needs; note a link that was lost."""
        held = cast(ssl.SSLSocket | None, link.client.socket())
        if held is None:
            self._again.setdefault(link, time.monotonic() + _CONNECT_AGAIN_S)
            return
        wanted = _READ | (_WRITE if link.client.want_write() else 0)
        watched = self._watched.get(link)
        if watched is None:
            self._selector.register(held, wanted, link)
        elif watched != wanted:
            self._selector.modify(held, wanted, link)
        self._watched[link] = wanted

    def _forget(self, link: Link, _client: mqtt.Client, _userdata: object, held: object) -> None:
        if self._watched.pop(link, None) is not None:
            self._selector.unregister(cast(ssl.SSLSocket, held))

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._looked_after < _LOOK_AFTER_EACH_S:
            return
        self._looked_after = now
        for link in self._links:
            if link not in self._again:
                link.client.loop_misc()
                self._watch(link)
        for link in [link for link, due in self._again.items() if due <= now]:
            self._connect_again(link, now)

    def _connect_again(self, link: Link, now: float) -> None:
        try:
            link.connect()
        except OSError:
            self._again[link] = now + _CONNECT_AGAIN_S
            return
        del self._again[link]
        self.reconnected += 1
        self._watch(link)


@lru_cache(maxsize=4)
def _trusting(ca_pem: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca_pem)
