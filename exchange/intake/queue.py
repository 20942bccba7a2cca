"""What devices published and no worker has taken yet, as intake sees it: a port.

Two shells: ``jetstream`` pulls from NATS, ``feed`` from the one process that holds an MQTT session
at any other broker. The same tests hold for both (tests/exchange/intake/test_queue.py).
"""

from collections.abc import Sequence
from typing import Protocol

from exchange.intake.model import Message
from exchange.intake.receipts import Answer


class BrokerError(Exception):
    """The broker or the way to it is away; what is in hand and not acknowledged comes again."""


class SegmentQueue(Protocol):
    """One worker's end. Every call may raise ``BrokerError`` or ``OSError``, and may be repeated.

    A message stays the broker's until it is acknowledged. One that is not, because its worker or
    the way to it died, is handed out again, to any worker and in any order.
    """

    async def open(self) -> None:
        """Attach, or attach again after an error."""

    async def next_batch(self, messages_max: int, age_s: float) -> list[Message]:
        """Up to ``messages_max`` messages, about ``age_s`` after the first; none when idle."""

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget messages that are committed or kept aside."""

    async def answer(self, answers: Sequence[Answer]) -> None:
        """Publish to devices; one that hears nothing sends its segments again."""

    async def close(self) -> None:
        """Take no more; what is in hand can still be acknowledged and answered."""

    async def disconnect(self) -> None:
        """Leave; what is in hand goes to other workers."""
