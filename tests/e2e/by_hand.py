"""The commands of the README's section, each in its shell, from an exchange to a verified trip."""

import json
from pathlib import Path

from tests.e2e.readme import commands_of
from tests.e2e.shells import Background, in_front

SECTION = "The same by hand"
IN_A_SHELL_OF_ITS_OWN = ("haulproof up", "haulproof sim")


def trip_by_hand(folder: Path, up_options: str = "") -> str:
    """What the last command printed; ``up_options`` are added to ``haulproof up``."""
    said = {"ORIGIN": "", "CAN": "", "NMEA": "", "TRIP": ""}
    shells: list[Background] = []
    printed = ""
    try:
        for command in commands_of(SECTION):
            if command.startswith(IN_A_SHELL_OF_ITS_OWN):
                up = command.startswith("haulproof up")
                shell = Background(f"{command} {up_options}" if up else command, folder)
                shells.append(shell)
                if up:
                    said["ORIGIN"] = shell.value("log_origin")
                else:
                    said |= {"CAN": shell.value("can"), "NMEA": shell.value("nmea")}
                continue
            if command.startswith("haulproof trip evidence"):
                said["TRIP"] = only_trip(folder)
            printed = in_front(f"umask 077; {filled_in(command, said)}", folder)
    finally:
        for shell in reversed(shells):
            shell.__exit__()
    return printed


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
