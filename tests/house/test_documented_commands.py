"""Every command in README and docs exists, with every option that is shown."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORDS_OF = {
    "org": 2,
    "device": 2,
    "grant": 2,
    "trip": 2,
    "agent": 2,
    "sim": 2,
    "broker": 2,
    "bench": 1,
    "log": 2,
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def shown(page: Path) -> list[str]:
    """The lines of a page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


LINES = sorted({line for page in PAGES for line in shown(page)})


def of_ours(line: str) -> list[str] | None:
    """The words after `haulproof` (or `python -m edge_agent`, as `agent`); None for others'."""
    words = shlex.split(line.partition(" > ")[0])
    if words[:3] == ["python", "-m", "edge_agent"]:
        return ["agent", *words[3:]]
    return words[1:] if Path(words[0]).name == "haulproof" else None


@cache
def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "haulproof", *command, "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_documents_show_commands() -> None:
    assert sum(of_ours(line) is not None for line in LINES) >= 12


@pytest.mark.parametrize("line", [line for line in LINES if of_ours(line) is not None])
def test_documented_command_has_the_options_it_is_shown_with(line: str) -> None:
    words = of_ours(line) or []
    told = help_of(*words[: WORDS_OF.get(words[0], 1)])

    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert [option for option in options if not re.search(rf"{option}\b", told)] == []


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make")])
def test_documented_target_exists(line: str) -> None:
    assert line.split()[1] in TARGETS


def test_every_command_is_shown_somewhere() -> None:
    listed = set(re.findall(r"^  ([a-z]+) ", help_of(), flags=re.MULTILINE))
    text = " ".join(page.read_text() for page in [*PAGES, ROOT / "CHANGELOG.md"])

    assert listed
    assert [name for name in sorted(listed) if f"haulproof {name}" not in text] == []
