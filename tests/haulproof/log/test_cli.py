"""Each word of ``haulproof log`` is found, loaded alone, and says what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from haulproof.__main__ import main
from haulproof.log import cli

ROOT = Path(__file__).parents[3]


def test_help_names_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--help"]) == 0

    printed = capsys.readouterr().out
    for word in cli.WORDS:
        assert f"  {word}" in printed


def test_no_word_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log"]) == 2
    assert "usage" in capsys.readouterr().out


def test_an_unknown_word_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "fell"]) == 2
    assert "there is no haulproof log fell" in capsys.readouterr().err


def test_a_missing_part_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.WORDS, "monitor", ("no_such_part.monitor", "log", ""))

    assert main(["log", "monitor"]) == 3

    said = capsys.readouterr().err
    assert "haulproof log monitor needs no_such_part" in said
    assert "pip install 'haulproof[log]'" in said


@pytest.mark.parametrize("word", ["mirror", "monitor"])
def test_whoever_watches_a_log_needs_no_exchange(word: str) -> None:
    code = (
        f"import sys, haulproof.log.{word}\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    heavy = {"psycopg", "fastapi", "pydantic", "uvicorn", "numpy", "nats", "typer", "structlog"}
    assert set(done.stdout.split()) & heavy == set()
