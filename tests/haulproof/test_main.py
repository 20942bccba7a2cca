"""The command finds its parts, loads only those it needs, and says what is wrong in a sentence."""

import subprocess
import sys

import pytest

from haulproof import __main__ as command


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0

    printed = capsys.readouterr().out
    for name in command.COMMANDS:
        assert f"  {name}" in printed


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["drive"]) == 2
    assert capsys.readouterr().err == "haulproof: there is no command drive: see haulproof --help\n"


def test_a_missing_part_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = command.Command("demo", "no_such_part.cli", "sim", "")
    monkeypatch.setitem(command.COMMANDS, "demo", absent)

    assert command.main(["demo"]) == 3
    assert "pip install 'haulproof[sim]'" in capsys.readouterr().err


def test_a_library_missed_while_a_command_is_served_is_told_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "exchange.commands.up", raising=False)
    monkeypatch.delitem(sys.modules, "exchange.directory", raising=False)
    monkeypatch.setitem(sys.modules, "nkeys", None)

    assert command.main(["up", "--help"]) == 3
    assert capsys.readouterr().err == (
        "haulproof: haulproof up needs nkeys, which is not installed: "
        "pip install 'haulproof[exchange]'\n"
    )


def test_verify_loads_nothing_of_the_exchange_or_the_truck() -> None:
    program = (
        "import sys; from haulproof.__main__ import main; main(['verify', 'nothing.evidence']);"
        "heavy = {'fastapi', 'numpy', 'typer', 'psycopg', 'rich', 'exchange.api', 'edge_agent'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
