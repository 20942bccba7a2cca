"""What the devices of an overload saw, in figures. Pure."""

from collections.abc import Sequence
from typing import Any

from haulproof.bench.load.heard import (
    Heard,
    LiveLoad,
    backlog_gone_after_s,
    due_between,
    receipted_between,
    seconds_to_recover,
)
from haulproof.bench.load.overloads import Phases
from haulproof.bench.report.percentiles import in_ms

LATENCY_MAX_S = 1.0
"""The latency that a fleet is to come back to."""


def outcome(load: LiveLoad, quiet: set[int], when: Phases) -> dict[str, Any]:
    """What the devices saw, in figures; ``quiet`` are the numbers of the quiet ones."""
    calm = [one for one in load.heard if one.device in quiet]
    loud = [one for one in load.heard if one.device not in quiet]
    lasting = when.load_end_s - when.load_s
    during = due_between(calm, when.load_s, when.load_end_s)
    sent = [one for one in load.heard if one.sent_s is not None]
    recovered = seconds_to_recover(calm, when.load_end_s, LATENCY_MAX_S)
    backlog = backlog_gone_after_s(load.heard, when.load_end_s)
    return {
        "offered_per_s": _per_s(
            len(due_between(load.heard, when.load_s, when.load_end_s)), lasting
        ),
        "sent_per_s": _per_s(_sent_between(sent, when.load_s, when.load_end_s), lasting),
        "receipts_per_s": _per_s(
            receipted_between(load.heard, when.load_s, when.load_end_s), lasting
        ),
        "segments_sent": len(sent),
        "receipts": sum(one.receipt_s is not None for one in load.heard),
        "without_receipt": sum(one.receipt_s is None for one in sent),
        "sent_again": load.sent_again,
        "given_up": load.given_up,
        "reconnected": load.reconnected,
        "quiet_receipt_ms_before": in_ms(
            one.latency_s for one in due_between(calm, 0.0, when.load_s)
        ),
        "quiet_receipt_ms_during": in_ms(one.latency_s for one in during),
        "quiet_share": _share(during, when),
        "loud_receipts": sum(one.receipt_s is not None for one in loud),
        "seconds_to_recover": None if recovered is None else round(recovered, 2),
        "backlog_gone_after_s": None if backlog is None else round(backlog, 1),
    }


def _share(during: Sequence[Heard], when: Phases) -> float | None:
    """Of what quiet devices were to send during the load, the part receipted before its end."""
    if not during:
        return None
    done = sum(one.receipt_s is not None and one.receipt_s < when.load_end_s for one in during)
    return round(done / len(during), 4)


def _sent_between(sent: Sequence[Heard], from_s: float, until_s: float) -> int:
    return sum(one.sent_s is not None and from_s <= one.sent_s < until_s for one in sent)


def _per_s(count: int, seconds: float) -> float:
    return round(count / seconds, 1)
