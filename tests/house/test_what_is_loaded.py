"""What a process loads, found by running it: the linter sees only what our own lines import."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"schemas", "ledger", "edge_agent", "exchange", "firmware_sim"}
NOT_ON_A_TRUCK = {"numpy", "typer", "rich", "pydantic", "structlog", "fastapi", "psycopg"}
NOT_FOR_A_READER = NOT_ON_A_TRUCK | {
    "aiomqtt",
    "can",
    "cantools",
    "ecdsa",
    "httpx",
    "nats",
    "stamina",
}


def modules_of(room: str) -> list[str]:
    """Every module of a room except its `__main__` scripts, dotted."""
    paths = sorted((ROOT / room).rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in dotted if not name.endswith("__main__")]


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages in a fresh interpreter that has imported the modules."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_truck_loads_nothing_that_is_heavy() -> None:
    assert loaded_by(*modules_of("edge_agent")) & NOT_ON_A_TRUCK == set()


@pytest.mark.parametrize("room", ["schemas", "ledger"])
def test_reader_needs_cbor2_and_cryptography_only(room: str) -> None:
    independent = f"{room}.evidence.independent"
    modules = [name for name in modules_of(room) if not name.startswith(independent)]

    assert loaded_by(*modules) & NOT_FOR_A_READER == set()


def test_verify_needs_cbor2_and_cryptography_only() -> None:
    assert loaded_by("haulproof.verify") & NOT_FOR_A_READER == set()


def test_second_implementation_loads_nothing_of_ours() -> None:
    modules = [name for name in modules_of("ledger") if "independent" in name]

    assert modules
    assert loaded_by(*modules) & ROOMS == {"ledger"}


def test_command_loads_no_room_before_it_knows_what_it_is_asked() -> None:
    assert loaded_by("haulproof.__main__") & ROOMS == set()
