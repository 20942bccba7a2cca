"""Makes haulproof/trips.json beside this file: recorded drives and the exact trips that they are.

The digests are the promise of DESIGN section 6: every processor, and every later version that says
it follows the same derivation, gets these. A changed digest needs a new derivation version.

Run ``python -m tests.vectors.trips_generator``.
"""

import json
from pathlib import Path
from typing import Any

from schemas.cose import cbor
from tests.exchange.derive.recordings import only_trip, recorded

FILE = Path(__file__).parent / "haulproof" / "trips.json"
DRIVES = ("eclipse_fms_truck", "driveplotr_15", "css_dk_2021_van", "comma2k19")


def vectors() -> list[dict[str, Any]]:
    """Per drive of tests/data/trips: the content map, its digest, and figures for people."""
    return [_vector(name) for name in DRIVES]


def _vector(name: str) -> dict[str, Any]:
    trip = only_trip(recorded(name))
    return {
        "drive": name,
        "odometer_m": trip.odometer_m,
        "gnss_mm": trip.gnss_mm,
        "content": cbor.encode(trip.fields()).hex(),
        "digest": trip.digest.hex(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
