"""docs/drive-files.md says what the code reads: formats, header names, limits."""

import re
from pathlib import Path

from firmware_sim.drives import blf, forward, gpx, held_seconds, source
from firmware_sim.drives.aliases import (
    ALIASES,
    DIALECTS,
    FIX,
    FIX_QUALITY,
    SPEED,
    SPEED_SOURCE,
    Meaning,
)
from firmware_sim.drives.readers import READERS
from firmware_sim.drives.table_clock import NAMES, Kind
from schemas.catalogue import BY_PATH

PAGE = (Path(__file__).parents[3] / "docs" / "drive-files.md").read_text()

ROLES = {
    SPEED: "a speed, see below",
    SPEED_SOURCE: "where the row's speed is from, see below",
    FIX: "0 no fix, 2 and 3 its dimensions",
    FIX_QUALITY: "GGA's: 0, 6, 7 and 8 are no measured fix",
}


def names_in_short(names: list[str]) -> str:
    """A name that also goes with ``gps_`` and ``gnss_`` before it is written once, with a plus."""
    known = set(names)
    shown = []
    for name in names:
        plain = re.sub(r"^(gps|gnss)_", "", name)
        if {plain, f"gps_{plain}", f"gnss_{plain}"} <= known:
            shown += [f"`{plain}`+"] if name == plain else []
        else:
            shown.append(f"`{name}`")
    return " ".join(shown)


def unit_of(meaning: Meaning) -> str:
    signal = BY_PATH.get("Vehicle.Speed" if meaning.path == SPEED else meaning.path)
    unit = signal.unit if signal and not signal.values else ""
    return unit if meaning.factor == 1 else f"{unit}, × {meaning.factor:.10g}"


def header_names() -> str:
    rows: dict[Meaning, list[str]] = {}
    for name, meaning in ALIASES.items():
        rows.setdefault(meaning, []).append(name)
    lines = ["| header names | signal | unit |", "| --- | --- | --- |"]
    for meaning, names in rows.items():
        signal = ROLES.get(meaning.path, f"`{meaning.path}`")
        lines.append(f"| {names_in_short(names)} | {signal} | {unit_of(meaning)} |")
    return "\n".join(lines)


def test_every_header_name_is_in_the_table_with_its_signal_and_unit() -> None:
    assert header_names() in PAGE, f"the page's table is to be:\n{header_names()}"


def test_every_format_has_a_row() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE)

    assert rows == [(reader.title, reader.format) for reader in READERS]


def test_every_name_of_a_column_of_time_is_there() -> None:
    rows = dict(re.findall(r"^\| (receiver|logger|start) \| ([^|]+) \|", PAGE, flags=re.MULTILINE))

    assert {kind: rows[kind.name.lower()].split() for kind in Kind} == {
        kind: [f"`{name}`" for name in names] for kind, names in NAMES.items()
    }


def test_loggers_with_names_of_their_own_are_named() -> None:
    for _, extra in DIALECTS:
        assert all(f"`{name}`" in PAGE for name in extra)


def test_limits_are_the_codes() -> None:
    limits = {
        "16 GiB": source.DRIVE_BYTES_MAX == 16 * 1024**3,
        "64 KiB": source.LINE_BYTES_MAX == 64 * 1024,
        "16 MiB": blf.CONTAINER_BYTES_MAX == 16 * 1024**2,
        "256 KiB": gpx.TAG_BYTES_MAX == 256 * 1024,
        "8,784 hours": held_seconds.HOURS_MAX == 8_784,
        "2 s": forward.BEHIND_NS == 2 * 10**9,
        "7 days": forward.AHEAD_NS == 7 * 86_400 * 10**9,
    }

    assert [limit for limit, holds in limits.items() if not holds or limit not in PAGE] == []
