"""NATS as a ``SegmentQueue``: a durable pull consumer on the stream of what devices publish.

The one file of intake, beside ``jetstream_pull``, that knows the client library. Subjects are MQTT
topics with dots. Nothing is acknowledged here by itself: the stream keeps a message until intake
says that it is committed or kept aside.
"""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from exchange.intake.jetstream_pull import Pull
from exchange.intake.model import Message
from exchange.intake.queue import BrokerError
from exchange.intake.receipts import Answer

STREAM = "HP_SEG"
SUBJECTS = "hp.v1.*.*.seg"
CONSUMER = "intake"

_PING_INTERVAL_S = 5
"""Two unanswered pings end a connection that fell silent without a word."""

_ACK_WAIT_S = 5
"""Then a killed worker's messages go to another. A slow batch may be taken twice: as duplicates."""
_UNACKED_MAX = 65_536
_IDLE_S = 1.0
_ACK_TOKENS = 9
_TIMESTAMP_TOKEN = 7
"""Of ``$JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<seq>.<ns>.<pending>``."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def connect_nats(
    url: str, user: str, password: str, tls: ssl.SSLContext | None = None
) -> Client:
    """A connection that comes back by itself; waits for a broker that is not there yet.

    ``BrokerError`` when the broker does not let us in.
    """
    with _broker_errors():
        return await nats.connect(
            url,
            user=user or None,
            password=password or None,
            tls=tls,
            name="haulproof intake",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            ping_interval=_PING_INTERVAL_S,
            error_cb=_ignore,
        )


class JetStreamQueue:
    """``SegmentQueue`` over the stream; the client becomes the queue's own.

    ``stream_bytes_max`` and ``stream_messages_max`` are what the stream keeps, and
    ``device_messages_max`` what it keeps of one device (-1: no bound). Beyond them the broker
    refuses new messages, which their devices send again.
    """

    def __init__(
        self,
        client: Client,
        stream_bytes_max: int,
        *,
        stream_messages_max: int = -1,
        device_messages_max: int = -1,
    ) -> None:
        self._client = client
        self._stream_bytes_max = stream_bytes_max
        self._stream_messages_max = stream_messages_max
        self._device_messages_max = device_messages_max
        self._pull: Pull | None = None

    async def open(self) -> None:
        """Make stream and consumer if they are missing, and attach to them."""
        await self.close()
        with _broker_errors():
            await self._attach()

    async def _attach(self) -> None:
        jetstream = self._client.jetstream()
        stream = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=self._stream_bytes_max,
            max_msgs=self._stream_messages_max,
            max_msgs_per_subject=self._device_messages_max,
            discard_new_per_subject=self._device_messages_max > 0,
        )
        try:
            await jetstream.add_stream(stream)
        except BadRequestError:  # it exists with another limit
            await jetstream.update_stream(stream)
        consumer = ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=_UNACKED_MAX,
        )
        await jetstream.add_consumer(STREAM, consumer)
        pull = Pull(self._client, STREAM, CONSUMER)
        await pull.open()
        self._pull = pull

    async def close(self) -> None:
        """Stop asking for messages; those in hand come again after the acknowledgement wait."""
        if self._pull is not None:
            with suppress(Error):
                await self._pull.close()
            self._pull = None

    async def disconnect(self) -> None:
        """Close the connection; what is in hand comes again after the acknowledgement wait."""
        await self._client.close()

    async def next_batch(self, messages_max: int, age_s: float) -> list[Message]:
        """Up to ``messages_max`` messages, at most ``age_s`` after the first; none when idle."""
        pull = self._pull
        if pull is None:
            raise BrokerError("the queue is not open")
        with _broker_errors():
            taken = await pull.fetch(messages_max, age_s, _IDLE_S)
        return [_message(one) for one in taken]

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the stream forget messages that are committed or kept aside."""
        with _broker_errors():
            for message in messages:
                if isinstance(message.token, str):
                    await self._client.publish(message.token)

    async def answer(self, answers: Sequence[Answer]) -> None:
        """Publish to devices; one that is not connected misses it and will ask again."""
        with _broker_errors():
            for answer in answers:
                await self._client.publish(answer.topic.replace("/", "."), answer.payload)


def _message(one: Msg) -> Message:
    return Message(one.subject.replace(".", "/"), one.data, _stored_at(one), one.reply)


def _stored_at(one: Msg) -> datetime:
    """When the stream stored the message."""
    tokens = one.reply.split(".")
    if len(tokens) == _ACK_TOKENS:
        return _EPOCH + timedelta(microseconds=int(tokens[_TIMESTAMP_TOKEN]) // 1000)
    return one.metadata.timestamp


async def _ignore(error: Exception) -> None:
    """Reconnecting is the client's own business; what it means for us shows in our calls."""


@contextmanager
def _broker_errors() -> Iterator[None]:
    """The library's errors as the port names them."""
    try:
        yield
    except Error as error:
        raise BrokerError(str(error) or type(error).__name__) from error
