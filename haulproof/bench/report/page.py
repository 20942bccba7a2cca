"""The page of figures, and the same as text for a terminal: a pure function of the document.

Each bench has a section, each section its figures beside limit or peer from the same run. A value
that was not reached is "never"; one that could not be measured is a dash.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from haulproof.bench.report.cells import mb, never, number, ratio, settings, table
from haulproof.bench.report.ledger_section import ledger_section
from haulproof.bench.report.verify_section import verify_section

Figures = Mapping[str, Any]

LASTS_S = 60
"""How long a load has to last for its rate to be one to go by."""

_TITLE = """\
# Benchmarks

Every figure here is from one run of `haulproof bench all`, and stands beside its limit or its peer
from the same run: the ratio is what carries over to another machine. This page is written from the
run's JSON, [benchmarks.json](benchmarks.json); it is not edited by hand.

```sh
haulproof bench all --markdown docs/benchmarks.md
```
"""
_SHORT = """\
**This run was short.** Its load lasted {seconds} s, and {wanted} s is what a rate is measured over.
It shows what the benches print; take no rate from it.
"""
_MACHINE = """\
## The machine

Broker, database, exchange and the fleet that sends share it.
"""
_INTAKE = """\
## Intake

Segments of 60 samples and 10 signals of a real drive, signed beforehand, published over MQTT by
their own devices in turns, so that neighbouring messages are of different devices. From the first
message handed to intake to the last receipt sent: verified, normalised, unique, committed, signed,
receipted. *Bare parts* are the same machine doing one part alone with the same bytes, when
the exchange stands still; a machine that shared its cores perfectly and did nothing else would do
the rate of their sum. The *plain consumer* is what most projects write: an MQTT client, JSON of the
same samples, one INSERT for each by psycopg, one commit for each message, in one process, without
signature, log, receipt or TLS.
"""
_LATENCY = """\
## Latency

Devices publish live, by a schedule that waits for no answer; the latency of a segment counts from
its scheduled moment to its receipt at the device that sent it. Intake commits a batch when it is
{batch_age_ms} ms old, and up to 200 ms when it is busy; the signer signs at most every
{checkpoint_interval_ms} ms. The ratio is p99 over the p99 of broker and commit alone.
"""
_OVERLOAD = """\
## Overload

{factor:g} times the capacity of {capacity_per_s:,.0f} segments/s, for {seconds:g} s; the broker
may keep {stream_mb:,.0f} MB for intake. *Fleet*: most devices send too much and keep what the
broker has no room for. *Noisy*: one device floods as fast as its connection goes. Quiet devices go
on at their pace throughout; their share is the part of their segments with a receipt before the
load's end.
"""


def page(document: Figures) -> str:
    """The page of a run's document, Markdown."""
    benches: Figures = document["benches"]
    seconds = benches["intake"]["seconds"]
    parts = [_TITLE]
    if seconds < LASTS_S:
        parts.append(_SHORT.format(seconds=seconds, wanted=LASTS_S))
    parts += [_MACHINE, table(("what", "which"), _machine_rows(document["machine"]))]
    return "\n".join([*parts, *sections(benches)])


def sections(benches: Figures) -> Iterator[str]:
    """The sections of the benches that ran, in the order of the page."""
    for name, section in _SECTIONS.items():
        if name in benches:
            yield from section(benches[name])


def _machine_rows(machine: Figures) -> list[tuple[str, str]]:
    return [(name.replace("_gb", ", GB"), str(value)) for name, value in machine.items()]


def _intake(told: Figures) -> Iterator[str]:
    parts, plain = told["bare_parts"], told["plain_consumer"]
    yield _INTAKE
    rows: list[tuple[str, ...]] = [
        ("segments per second, receipt sent", number(told["segments_per_s"]), ""),
        (
            "bare ES256 verifications per second",
            number(told["verify_per_s"]),
            ratio(told["ratio"]),
        ),
        (
            "the sum of bare parts, per second",
            number(parts["limit_per_s"]),
            ratio(parts["ratio"]),
        ),
        (
            "plain consumer, segments per second",
            number(plain["segments_per_s"]),
            f"{plain['ratio']:,.1f} times",
        ),
    ]
    yield table(("figure", "this run", "intake against it"), rows)
    yield (
        f"{told['segments']:,} segments of {told['devices']:,} devices in {told['seconds']} s, "
        f"after {told['warm_up_segments']:,} to warm up; {told['segment_bytes_mean']} bytes a "
        f"segment, {told['segments_per_receipt_message']} receipts a message, "
        f"{told['intake_workers']} intake workers; PostgreSQL with "
        f"{settings(told['postgresql'])}.\n"
    )
    yield table(
        ("bare part", "µs of a core for a segment"),
        [
            ("ES256 verification", number(parts["verify_us"])),
            ("broker hop: JetStream pull and acknowledgement", number(parts["broker_hop_us"])),
            ("binary COPY of the row", number(parts["copy_us"])),
            ("leaf: hash, tiles, rows", number(parts["leaf_us"])),
            ("sum", number(parts["sum_us"])),
        ],
    )
    yield table(
        ("process", "CPU µs for a segment", "resident MB before", "after"),
        [
            (
                part,
                number(spent),
                number(told["rss_mb"][0].get(part)),
                number(told["rss_mb"][-1].get(part)),
            )
            for part, spent in told["cpu_us_per_segment"].items()
        ],
    )


def _latency(told: Figures) -> Iterator[str]:
    yield _LATENCY.format(**told)
    kinds = {
        "receipt": told["receipt_ms"],
        "bare broker, there and back": told["broker_echo_ms"],
        "bare commit": told["commit_ms"],
        "how late the fleet itself sent": told["sent_late_ms"],
    }
    yield table(
        ("ms", "p50", "p95", "p99", "max"),
        [
            (name, *(never(ms[key]) for key in ("p50", "p95", "p99", "max")))
            for name, ms in kinds.items()
        ],
    )
    yield (
        f"{told['rate_per_s']:,.0f} segments/s of {told['devices']:,} devices for "
        f"{told['seconds']:g} s, where {told['capacity_per_s']:,.0f}/s is what the same exchange "
        f"took at full speed just before; ratio {never(told['ratio'])}. Without receipt: "
        f"{told['without_receipt']}; receipts without leaf: {told['without_leaf']}; sent again: "
        f"{told['sent_again']}.\n"
    )


def _overload(told: Figures) -> Iterator[str]:
    yield _OVERLOAD.format(stream_mb=told["stream_bytes_max"] / 1e6, **told)
    fleet, noisy = told["fleet"], told["noisy"]

    def both(name: str, shown: Callable[[Figures], str]) -> tuple[str, ...]:
        return name, shown(fleet), shown(noisy)

    rows = [
        both("offered, segments/s", lambda load: number(load["offered_per_s"])),
        both("sent by the devices in that time", lambda load: number(load["sent_per_s"])),
        both("receipts in that time", lambda load: number(load["receipts_per_s"])),
        both("most that the broker kept, MB", lambda load: mb(load["stream_bytes_peak"])),
        both("sent again for want of a receipt", lambda load: number(load["sent_again"])),
        both("receipts in all", lambda load: number(load["receipts"])),
        both("of them not in the log", lambda load: number(load["acknowledged_lost"])),
        both("sent, and without receipt at the end", lambda load: number(load["without_receipt"])),
        both("quiet devices: share", lambda load: ratio(load["quiet_share"])),
        both("quiet p99 before, ms", lambda load: never(load["quiet_receipt_ms_before"]["p99"])),
        both("quiet p99 during, ms", lambda load: never(load["quiet_receipt_ms_during"]["p99"])),
        both("s until every latency is under 1 s", lambda load: never(load["seconds_to_recover"])),
        both("s until the backlog is gone", lambda load: never(load["backlog_gone_after_s"])),
    ]
    yield table(("figure", "fleet", "noisy"), rows)


_SECTIONS: dict[str, Callable[[Figures], Iterator[str]]] = {
    "intake": _intake,
    "latency": _latency,
    "overload": _overload,
    "ledger": ledger_section,
    "verify": verify_section,
}
