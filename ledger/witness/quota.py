"""How often a log may ask: a bucket per log that fills with time and empties with requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.witness.judgement import KnownLog

REQUESTS_PER_DAY = 172_800
"""For a log without a figure of its own: twice the once a second that logs keep to."""
BURST = 20
_DAY_S = 86_400


@dataclass
class _Bucket:
    per_s: float
    most: float
    left: float
    at_s: float


class AskedTooOften(Exception):
    """A log that has used up its requests; ``retry_after_s`` until the next one is due."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"this log asks too often: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class LogQuota:
    """Counts checkpoints that move a witness forward: a log alone can make those.

    A checkpoint that is shown again costs nothing, since anybody can show it.
    """

    def __init__(self, logs: Mapping[str, KnownLog], now_s: float) -> None:
        self._buckets = {
            log.origin: _Bucket(
                (log.requests_per_day or REQUESTS_PER_DAY) / _DAY_S, BURST, BURST, now_s
            )
            for log in logs.values()
        }

    def take(self, origin: str, now_s: float) -> None:
        """Count one request (``now_s`` of any monotonic clock); ``AskedTooOften``."""
        bucket = self._buckets[origin]
        filled = bucket.left + (now_s - bucket.at_s) * bucket.per_s
        bucket.left, bucket.at_s = min(bucket.most, filled), now_s
        if bucket.left < 1:
            raise AskedTooOften(int((1 - bucket.left) / bucket.per_s) + 1)
        bucket.left -= 1
