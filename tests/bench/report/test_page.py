"""docs/benchmarks.md is what the generator makes of the committed run, and says what it should."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from haulproof.bench.report.page import LASTS_S, page, sections

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DOCS / "benchmarks.json").read_text())
    return read


def cells(text: str, row: str) -> list[str]:
    """The cells of the row that begins with a name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_committed_page_is_made_of_the_committed_run(document: dict[str, Any]) -> None:
    assert (DOCS / "benchmarks.md").read_text() == page(document)


def test_every_bench_of_the_run_has_a_section(document: dict[str, Any]) -> None:
    headings = re.findall(r"^## (.+)$", page(document), flags=re.MULTILINE)

    assert headings == ["The machine", "Intake", "Latency", "Overload"]


def test_every_table_has_as_many_cells_in_each_row(document: dict[str, Any]) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", page(document), flags=re.MULTILINE)

    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_run_that_was_too_short_says_so(document: dict[str, Any]) -> None:
    short, lasting = deepcopy(document), deepcopy(document)
    short["benches"]["intake"]["seconds"] = LASTS_S - 0.1
    lasting["benches"]["intake"]["seconds"] = LASTS_S

    assert "**This run was short.**" in page(short)
    assert "short" not in page(lasting)


def test_figures_stand_beside_their_limits(document: dict[str, Any]) -> None:
    intake = document["benches"]["intake"]
    intake["segments_per_s"] = 5_000.4
    intake["bare_parts"] |= {"limit_per_s": 10_001.0, "ratio": 0.5}
    intake["plain_consumer"] = {"segments_per_s": 62.5, "ratio": 80.0}
    text = "\n".join(sections(document["benches"]))

    assert cells(text, "segments per second, receipt sent") == ["5,000", ""]
    assert cells(text, "the sum of bare parts, per second") == ["10,001", "0.50"]
    assert cells(text, "plain consumer, segments per second") == ["62.5", "80.0 times"]


def test_what_was_never_reached_is_called_never(document: dict[str, Any]) -> None:
    overload = document["benches"]["overload"]
    overload["fleet"]["seconds_to_recover"] = None
    overload["noisy"]["seconds_to_recover"] = 0.0
    text = "\n".join(sections(document["benches"]))

    assert cells(text, "s until every latency is under 1 s") == ["never", "0.0"]


def test_one_bench_alone_is_shown_alone(document: dict[str, Any]) -> None:
    latency = document["benches"]["latency"]

    text = "\n".join(sections({"latency": latency}))

    assert text.startswith("## Latency")
    assert "## Intake" not in text
