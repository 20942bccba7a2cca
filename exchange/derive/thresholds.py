"""The numbers in the rules of derivation: versioned configuration, named by digest in records."""

import hashlib
from dataclasses import astuple, dataclass

from schemas.cose import cbor


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Times in ms, speeds in 0.01 km/h, engine speed in 0.25 rpm; reasons in docs/trips.md."""

    version: int = 1
    earliest_ms: int = 1_262_304_000_000
    """2010-01-01: an earlier time is that of a clock which was never set."""
    start_speed: int = 300
    """Above it a vehicle moves, once it has done so for ``start_hold_ms``."""
    start_hold_ms: int = 5_000
    standing_speed: int = 100
    """At or below it a vehicle stands."""
    trip_distance_mm: int = 200_000
    end_ms: int = 300_000
    stop_ms: int = 180_000
    silence_ms: int = 3_600_000
    longest_ms: int = 86_400_000
    hold_ms: int = 60_000
    """How long a value counts when no newer one comes."""
    gap_ms: int = 10_000
    """A longer time without sample, or between two fixes, is a gap."""
    baseline_ms: int = 10_000
    """Time over which speed is taken from fixes, where no source gives a speed."""
    idle_ms: int = 3_600_000
    """A parked vehicle's samples are settled in pieces of this length."""
    displaced_mm: int = 200_000
    """Farther apart before and after a gap: the vehicle moved in it."""
    engine_speed_min: int = 400
    speed_max: int = 30_000
    """Beyond it a speed is no measurement."""
    jump_speed: int = 20_000
    """Beyond it two fixes are not the way of one vehicle."""
    jump_mm: int = 100_000
    spike_ms: int = 10_000
    """A fix that is back within this time was noise."""
    odometer_slack_m: int = 1_000
    """The coarsest odometer's step."""
    disagree_mm: int = 200_000
    disagree_quality: int = 20
    """Per mille between odometer and GNSS that is worth a remark, and that is a contradiction."""
    disagree_contradiction: int = 50
    coverage: int = 800
    """Per mille of a trip's time that fixes must cover for the comparison."""

    def encode(self) -> bytes:
        """Deterministic CBOR of the values, in their order: what full evidence carries."""
        return cbor.encode(list(astuple(self)))

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``encode``."""
        return hashlib.sha256(self.encode()).digest()

    @property
    def lookahead_ms(self) -> int:
        """Beyond a moment by this much, no later sample changes what the vehicle did at it."""
        return self.hold_ms + self.start_hold_ms


CURRENT = Thresholds()

KNOWN = {configuration.digest: configuration for configuration in (CURRENT,)}
"""Every configuration that records in a log may rest on."""
