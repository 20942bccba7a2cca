"""What ``haulproof bench`` refuses before it starts, and what it makes of an earlier run."""

import json
from pathlib import Path

import pytest

from haulproof.bench import cli

RECORD = Path(__file__).parents[2] / "docs" / "benchmarks.json"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["intake", "--rate", "5"], "--rate belongs to bench latency"),
        (
            ["latency", "--segments", "5"],
            "--segments belongs to bench intake, bench verify and bench all",
        ),
        (["overload", "--markdown", "page.md"], "--markdown and --from belong to bench all"),
        (["intake", "--from", "run.json"], "--markdown and --from belong to bench all"),
        (["intake", "--devices", "1"], "a number from 2 to 10,000, not 1"),
        (["intake", "--devices", "many"], "a number from 2 to 10,000, not many"),
        (["disk"], "invalid choice"),
        (["latency", "--leaves", "1000"], "--leaves belongs to bench ledger"),
        (["ledger", "--devices", "5"], "bench ledger has none"),
        (["verify", "--warm-up", "5"], "bench verify has none"),
        (["verify", "--segments", "5000"], "a trip has at most 4,096 segments"),
        (["all", "--markdown", "nowhere/page.md"], "there is no folder nowhere"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage_in_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("haulproof bench: ")
    assert said.count("\n") == 1
    assert sentence in said


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "4000", "long"])
def test_size_that_measures_nothing_is_wrong_usage(value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["intake", "--seconds", value])

    assert ended.value.code == 2


def test_earlier_run_that_is_not_there_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["all", "--from", str(tmp_path / "nowhere.json")]) == 2
    assert "cannot be read as an earlier run" in capsys.readouterr().err


def test_document_of_another_form_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"format": 0}')

    assert cli.main(["all", "--from", str(other)]) == 2
    assert "run it again" in capsys.readouterr().err


def test_page_is_written_again_from_an_earlier_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "benchmarks.md"

    assert cli.main(["all", "--from", str(RECORD), "--markdown", str(written), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(RECORD.read_text())
    assert written.read_text() == RECORD.with_suffix(".md").read_text()
    assert json.loads(written.with_suffix(".json").read_text()) == json.loads(RECORD.read_text())


def test_figures_are_shown_as_tables_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["all", "--from", str(RECORD)]) == 0

    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("## ")] == [
        "## Intake",
        "## Latency",
        "## Overload",
    ]
