"""The README's way without the demo, its own commands, in several shells."""

import json
import stat
from pathlib import Path

import pytest

from tests.e2e.readme import blocks_of, commands_of
from tests.e2e.shells import Background, in_front

SECTION = "The same by hand"
IN_A_SHELL_OF_ITS_OWN = ("haulproof up", "haulproof sim")


@pytest.mark.timeout(420)
def test_the_commands_of_the_readme_bring_a_verified_trip(tmp_path: Path) -> None:
    said = {"ORIGIN": "", "CAN": "", "NMEA": "", "TRIP": ""}
    shells: list[Background] = []
    printed = ""
    try:
        for command in commands_of(SECTION):
            if command.startswith(IN_A_SHELL_OF_ITS_OWN):
                shell = Background(command, tmp_path)
                shells.append(shell)
                if command.startswith("haulproof up"):
                    said["ORIGIN"] = shell.value("log_origin")
                else:
                    said |= {"CAN": shell.value("can"), "NMEA": shell.value("nmea")}
                continue
            if command.startswith("haulproof trip evidence"):
                said["TRIP"] = only_trip(tmp_path)
            printed = in_front(f"umask 077; {filled_in(command, said)}", tmp_path)
    finally:
        for shell in reversed(shells):
            shell.__exit__()

    assert printed.startswith("Verified: ")
    assert "7.1" in printed  # kilometres
    keys = [tmp_path / "acme.pem", tmp_path / "insurer.pem", tmp_path / "truck1" / "device.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_the_readme_says_what_the_shells_need_first() -> None:
    first = blocks_of(SECTION)[0]

    assert first == ['export PATH="$PWD/.venv/bin:$PATH"', "umask 077"]


def filled_in(command: str, said: dict[str, str]) -> str:
    for name, value in said.items():
        command = " ".join(value if word == name else word for word in command.split(" "))
    return command


def only_trip(folder: Path) -> str:
    listed = in_front(
        "for i in $(seq 100); do haulproof trip list --credentials insurer.json --json > list.json;"
        " grep -q '\"id\"' list.json && break; sleep 0.2; done; cat list.json",
        folder,
    )
    trips = json.loads(listed)["items"]
    assert len(trips) == 1
    return str(trips[0]["id"])
