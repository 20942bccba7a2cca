"""What the demo found, as one JSON object and as plain sentences."""

from dataclasses import dataclass
from typing import Any

_WANDER_TOLD_M = 10


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one demo; ``trip`` is the longest trip as the insurer's API gave it."""

    drive: str
    samples: int
    segments: int
    gaps: int
    trips: int
    trip: dict[str, Any] | None
    receipts: int
    log_size: int
    evidence_file: str
    policy_file: str
    verified: bool
    recomputed: bool | None
    tamper_detected: bool
    lost: int
    seconds: float

    @property
    def distance_km(self) -> float:
        """Of the trip: by odometer where it has one, else along its fixes; 0 without a trip."""
        distance = (self.trip or {}).get("distance") or {}
        metres = distance.get("odometer_m")
        if metres is None:
            metres = distance.get("gnss_m")
        return round((metres or 0) / 1_000, 3)

    @property
    def good(self) -> bool:
        """Whether the demo showed what it is for."""
        return self.verified and self.tamper_detected and self.lost == 0

    def to_json(self) -> dict[str, Any]:
        """The fields of ``haulproof demo --json``."""
        return {
            "drive": self.drive,
            "samples": self.samples,
            "segments": self.segments,
            "trips": self.trips,
            "distance_km": self.distance_km,
            "receipts": self.receipts,
            "log_size": self.log_size,
            "evidence_file": self.evidence_file,
            "policy_file": self.policy_file,
            "verified": self.verified,
            "tamper_detected": self.tamper_detected,
            "lost": self.lost,
            "seconds": round(self.seconds, 1),
        }


def trip_sentence(trip: dict[str, Any]) -> str:
    """One trip in a sentence: when, how far, how fast, what stands out."""
    start, end = trip["start"], trip["end"]
    parts = [f"A trip from {start['at']} to {end['at']}"]
    distance = trip["distance"]
    measured = []
    if distance["odometer_m"] is not None:
        measured.append(f"{distance['odometer_m'] / 1_000:.2f} km by odometer")
    if distance["gnss_m"] is not None:
        measured.append(f"{distance['gnss_m'] / 1_000:.2f} km along its GNSS fixes")
    parts.append(" and ".join(measured) or "of unknown distance")
    speed = trip.get("speed")
    if speed:
        parts.append(f"at most {speed['highest_kmh']:.0f} km/h")
    sentence = ", ".join(parts) + f"; it ended by the rule {end['rule']}."
    findings = [f"{one['code']} ({one['severity']})" for one in trip.get("findings") or ()]
    if findings:
        sentence += f" Remarks: {', '.join(findings)}."
    return sentence


MOTION = frozenset(
    {
        "Vehicle.Speed",
        "Vehicle.Tachograph.VehicleSpeed",
        "Vehicle.CurrentLocation.Speed",
        "Vehicle.TraveledDistance",
        "Vehicle.TraveledDistanceHighRes",
        "Vehicle.CurrentLocation.Latitude",
    }
)
"""Signals by which derivation can tell that a vehicle moves."""


def no_trip_sentence(wander_m: float, *, tells_motion: bool) -> str:
    """Why there is no trip, for a person who expected one."""
    why = (
        "the vehicle never drove 200 m"
        if tells_motion
        else "the recording has neither speed nor position nor odometer"
    )
    sentence = (
        f"No trip, because {why}. Its segments are signed, committed and receipted all the same."
    )
    if wander_m >= _WANDER_TOLD_M:
        sentence += f" Its fixes wander over {wander_m:.0f} m while it stands."
    return sentence
