"""docs/trips.md names every threshold with its value, every rule and every finding."""

import re
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path

from exchange.derive.thresholds import CURRENT
from schemas.statements.trip_content import EndRule, FindingCode, StartRule

PAGE = (Path(__file__).parents[3] / "docs" / "trips.md").read_text()


def words(codes: type[IntEnum]) -> set[str]:
    return {code.name.lower().replace("_", "-") for code in codes}


def test_every_threshold_is_on_the_page_with_its_value() -> None:
    thresholds = PAGE.partition("## Thresholds")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", thresholds, flags=re.MULTILINE))

    expected = {name: str(value) for name, value in asdict(CURRENT).items() if name != "version"}
    assert rows == expected


def test_every_rule_and_finding_is_on_the_page() -> None:
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE))

    assert words(StartRule) | words(EndRule) | words(FindingCode) <= rows
