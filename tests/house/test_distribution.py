"""The wheel holds what the rooms hold, and its extras are what each installation needs."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "ledger", "edge_agent", "exchange", "firmware_sim", "haulproof")


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~!; ]", requirement)[0].lower() for requirement in requirements}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that is built from a copy."""
    copy = tmp_path_factory.mktemp("distribution")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(copy / "dist"), str(copy)],
        check=True,
        capture_output=True,
    )
    (built,) = (copy / "dist").glob("haulproof-*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("room", ROOMS)
def test_wheel_holds_every_file_of_the_room(wheel: set[str], room: str) -> None:
    held = {
        str(path.relative_to(ROOT))
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert held - wheel == set()


def test_wheel_holds_no_tests(wheel: set[str]) -> None:
    assert [name for name in wheel if name.startswith("tests/")] == []


def test_base_installation_is_what_verification_needs() -> None:
    assert names(project()["dependencies"]) == {"cbor2", "cryptography"}
    assert project()["optional-dependencies"]["verify"] == []


@pytest.mark.parametrize(("extra", "added"), [("independent", {"ecdsa"}), ("recompute", {"numpy"})])
def test_small_extra_adds_one_library(extra: str, added: set[str]) -> None:
    assert names(project()["optional-dependencies"][extra]) == added


def test_each_extra_names_a_library_once() -> None:
    for requirements in project()["optional-dependencies"].values():
        assert len(names(requirements)) == len(requirements)


def test_truck_installs_nothing_that_is_heavy() -> None:
    installed = names(project()["optional-dependencies"]["agent"])

    assert installed & {"numpy", "typer", "rich", "pydantic", "structlog", "fastapi"} == set()


def locked() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M))


def test_lock_covers_every_requirement_but_the_bench_s_peers() -> None:
    extras = {**project()["optional-dependencies"]}
    peers = names(extras.pop("bench"))
    wanted = names(project()["dependencies"]).union(*(names(extra) for extra in extras.values()))

    assert wanted - {"haulproof"} - locked() == set()
    assert peers & (wanted | locked()) == set()
