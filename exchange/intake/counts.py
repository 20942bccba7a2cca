"""Counters of intake, exposed by whoever serves metrics, and the same figures for the log."""

from collections import Counter
from collections.abc import Sequence

from prometheus_client import Counter as Metric

from exchange.intake.model import BatchResult, Message, Outcome
from exchange.intake.verification import Device, device_of
from schemas.errors import Reason

MESSAGES = Metric(
    "haulproof_intake_messages_total",
    "Messages of devices by what became of them; reason is empty unless refused",
    ["outcome", "reason"],
)
BATCHES = Metric("haulproof_intake_batches_total", "Batches committed")
RECEIPTS = Metric("haulproof_intake_receipts_total", "Receipts sent")

_NAMED = 3


class Counts:
    """What one worker did since it was last asked."""

    def __init__(self) -> None:
        self._since: Counter[str] = Counter()
        self._let_go: Counter[Device] = Counter()

    def batch(self, result: BatchResult) -> None:
        """Count a batch whose transaction has ended."""
        BATCHES.inc()
        self._add(Outcome.COMMITTED, "", len(result.committed))
        self._add(Outcome.DUPLICATE, "", len(result.duplicates))
        for reason, number in Counter(one.reason.value for one in result.refused).items():
            self._add(Outcome.REFUSED, reason, number)

    def receipts(self, number: int) -> None:
        """Count receipts that were handed to the broker."""
        RECEIPTS.inc(number)
        self._since["receipts"] += number

    def let_go(self, over: Sequence[Message]) -> None:
        """Count messages over quota."""
        self._add(Outcome.LET_GO, Reason.OVER_QUOTA.value, len(over))
        self._let_go.update(device_of(message.topic) for message in over)

    def take_noisiest(self) -> dict[str, int]:
        """The devices of which most was let go since the last call, for the operator."""
        noisiest, self._let_go = self._let_go.most_common(_NAMED), Counter()
        return {"/".join(device): number for device, number in noisiest}

    def take(self) -> dict[str, int]:
        """The figures since the last call; empty when nothing happened."""
        taken, self._since = self._since, Counter()
        return dict(taken)

    def _add(self, outcome: Outcome, reason: str, number: int) -> None:
        if number:
            MESSAGES.labels(outcome.value, reason).inc(number)
            self._since[f"{outcome.value}-{reason}" if reason else outcome.value] += number
