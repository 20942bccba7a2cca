"""The peer: a telemetry consumer as most projects write it.

An MQTT client, a JSON payload of the same samples, one INSERT for each sample by psycopg, one
commit for each message; no signature, no log, no receipt, no TLS. Messages are published
beforehand, into the session that the consumer has left at the broker, and taken by one process. The
same broker program and the same PostgreSQL as the exchange's.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import sql

from haulproof.bench.limits.committed import SCHEMA
from schemas.catalogue import SIGNALS
from schemas.columns import decode_column
from schemas.deflated import inflate
from schemas.limits import INFLATED_BYTES_MAX
from schemas.samples import read_block

_TOPIC = "fleet/+/samples"
_KEPT = "plain-consumer"
_PATIENCE_S = 60.0
_TABLE = sql.Identifier(SCHEMA, "plain_sample")
_STEP_S = 1


def plain_messages(blocks: Sequence[bytes], count: int, t0_s: int) -> list[tuple[str, bytes]]:
    """Topics and JSON payloads: the samples of the fleet's blocks (payload key 6), in turn."""
    samples = [_samples(block) for block in blocks]
    return [
        (f"fleet/v-{n:06d}/samples", _payload(samples[n % len(samples)], n, t0_s))
        for n in range(count)
    ]


def _samples(block: bytes) -> list[dict[str, float | None]]:
    read = read_block(inflate(block, INFLATED_BYTES_MAX))
    columns = {
        SIGNALS[signal].path: [
            None if value is None else SIGNALS[signal].decode(value)
            for value in decode_column(column, read.n)
        ]
        for signal, column in read.columns.items()
    }
    return [{path: values[n] for path, values in columns.items()} for n in range(read.n)]


def _payload(samples: Sequence[dict[str, float | None]], number: int, t0_s: int) -> bytes:
    rows = [
        {"time": _iso(t0_s + number * len(samples) + n * _STEP_S), **sample}
        for n, sample in enumerate(samples)
    ]
    return json.dumps({"vehicle": f"v-{number:06d}", "samples": rows}).encode()


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def segments_per_s(
    mqtt_port: int, url: str, messages: Sequence[tuple[str, bytes]], seconds: float
) -> float:
    """Messages that the consumer has committed per second, until ``seconds`` or the last one."""
    paths = sorted(set(json.loads(messages[0][1])["samples"][0]) - {"time"})
    _leave_session(mqtt_port)
    _publish(mqtt_port, messages)
    with psycopg.connect(url) as conn:
        _make_table(conn, paths)
        return _consume(mqtt_port, conn, _Inserted(paths, len(messages), seconds))


@dataclass(slots=True)
class _Inserted:
    paths: list[str]
    messages_max: int
    seconds_max: float
    count: int = 0
    started: float | None = None
    ended: float = field(default=0.0)

    @property
    def over(self) -> bool:
        """Whether enough was measured."""
        spent = 0.0 if self.started is None else self.ended - self.started
        return self.count >= self.messages_max or spent >= self.seconds_max


def _consume(port: int, conn: psycopg.Connection[Any], inserted: _Inserted) -> float:
    columns = sql.SQL(", ").join([sql.Placeholder()] * (2 + len(inserted.paths)))
    insert = sql.SQL("INSERT INTO {} VALUES ({})").format(_TABLE, columns)

    def on_message(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if inserted.started is None:
            inserted.started = time.perf_counter()
        told = json.loads(message.payload)
        for sample in told["samples"]:
            values = [sample.get(path) for path in inserted.paths]
            conn.execute(insert, [told["vehicle"], sample["time"], *values])
        conn.commit()
        inserted.count += 1
        inserted.ended = time.perf_counter()

    client = _client(port)
    client.on_message = on_message
    _loop_until(client, lambda: inserted.over, inserted.seconds_max + _PATIENCE_S)
    client.disconnect()
    return inserted.count / (inserted.ended - (inserted.started or 0.0))


def _leave_session(port: int) -> None:
    """Subscribe and go, so that the broker keeps what is published from now on."""
    granted: list[int] = []
    client = _client(port)
    client.on_subscribe = lambda *told: granted.append(1)
    client.on_connect = lambda client, *told: client.subscribe(_TOPIC, qos=1)
    _loop_until(client, lambda: bool(granted), _PATIENCE_S)
    client.disconnect()


def _publish(port: int, messages: Sequence[tuple[str, bytes]]) -> None:
    taken: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="plain-publisher")
    client.max_inflight_messages_set(50)
    client.on_publish = lambda *told: taken.append(1)
    client.connect("127.0.0.1", port)
    for topic, payload in messages:
        client.publish(topic, payload, qos=1)
    _loop_until(client, lambda: len(taken) == len(messages), _PATIENCE_S + len(messages) / 100)
    client.disconnect()


def _client(port: int) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=_KEPT, clean_session=False)
    client.connect("127.0.0.1", port)
    return client


def _loop_until(client: mqtt.Client, done: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the plain consumer or its publisher hung for {patience_s:.0f} s")
        client.loop(timeout=0.1)


def _make_table(conn: psycopg.Connection[Any], paths: Sequence[str]) -> None:
    columns = [sql.SQL("{} double precision").format(sql.Identifier(path)) for path in paths]
    conn.execute(
        sql.SQL("CREATE TABLE {} (vehicle text, time timestamptz, {})").format(
            _TABLE, sql.SQL(", ").join(columns)
        )
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} (vehicle, time)").format(_TABLE))
    conn.commit()
