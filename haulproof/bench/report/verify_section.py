"""The page's section on evidence of a long trip."""

from collections.abc import Iterator, Mapping
from typing import Any

from haulproof.bench.report.cells import number, ratio, table

_OPENING = """\
## Verify

Evidence of a trip of {segments:,} segments in its *full* form, verified offline from the file's
bytes, against bare ES256 verification of the same segments in turns with it, both in ms of a core.
Its size, against its segments ({segment_bytes_mean:,} bytes each) and the hashes that no reader
could compute.
"""


def verify_section(told: Mapping[str, Any]) -> Iterator[str]:
    """A row for each way in which the trip's leaves may lie."""
    yield _OPENING.format(**told)
    yield table(
        ("the trip's leaves", "verified, ms", "bare, ms", "ratio", "evidence, bytes", "larger by"),
        [
            (
                name.replace("_", " "),
                number(one["verify_ms"]),
                number(one["bare_ms"]),
                ratio(one["ratio"]),
                number(one["evidence_bytes"]),
                f"{one['larger_percent']:.2f} %",
            )
            for name, one in told["layouts"].items()
        ],
    )
