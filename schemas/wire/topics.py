"""MQTT topics (DESIGN section 3.2). A topic routes; it never gives authority."""

from functools import lru_cache

from schemas.errors import Reason, StatementRefused
from schemas.names import is_name

_PREFIX = "hp/v1"
SEGMENT, ACK, REFUSAL, CONFIGURATION = "seg", "ack", "ref", "cfg"


def segment_topic(carrier: str, device: str) -> str:
    """Where a device publishes its statements."""
    return f"{_PREFIX}/{carrier}/{device}/{SEGMENT}"


def ack_topic(carrier: str, device: str) -> str:
    """Where a device hears of receipts."""
    return f"{_PREFIX}/{carrier}/{device}/{ACK}"


def refusal_topic(carrier: str, device: str) -> str:
    """Where a device hears of refusals."""
    return f"{_PREFIX}/{carrier}/{device}/{REFUSAL}"


def configuration_topic(carrier: str, device: str) -> str:
    """Where a device hears of signed configuration."""
    return f"{_PREFIX}/{carrier}/{device}/{CONFIGURATION}"


@lru_cache(maxsize=65_536)
def parse_segment_topic(topic: str) -> tuple[str, str]:
    """Carrier and device of a ``seg`` topic; ``StatementRefused(wrong-topic)`` for any other."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != _PREFIX or parts[4] != SEGMENT:
        raise StatementRefused(Reason.WRONG_TOPIC, "not a topic that statements travel on")
    if not (is_name(parts[2]) and is_name(parts[3])):
        raise StatementRefused(Reason.WRONG_TOPIC, "the topic names no device")
    return parts[2], parts[3]
