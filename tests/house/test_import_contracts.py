"""Every contract in pyproject.toml sees a violation planted for it in a copy of the rooms."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "ledger", "edge_agent", "exchange", "firmware_sim", "haulproof")

# contract id: (package that gets a stray module, or module that gets a line; what is imported)
PLANTED = {
    "schemas": [("schemas", name) for name in ("ledger", "exchange", "numpy", "socket", "time")]
    + [("schemas.cose", "pathlib"), ("schemas.wire", "haulproof")],
    "ledger": [("ledger", "exchange"), ("ledger", "edge_agent"), ("ledger", "firmware_sim")],
    "ledger-core": [
        (f"ledger.{module}", imported)
        for module in ("merkle", "multiproof", "tiles", "note", "checkpoint", "signing", "leaf")
        for imported in ("schemas", "ledger.policy", "os")
    ],
    "ledger-witness": [
        ("ledger.witness", imported)
        for imported in ("schemas", "ledger.fence", "os", "sqlite3", "time")
    ],
    "independent": [
        ("ledger.evidence.independent", imported)
        for imported in ("schemas.errors", "ledger.merkle", "ledger.evidence.file", "cryptography")
    ],
    "agent": [
        ("edge_agent", name)
        for name in ("exchange", "firmware_sim", "ledger.signing", "ledger.fence", "ledger.witness")
    ],
    "agent-lean": [
        ("edge_agent", name)
        for name in ("numpy", "typer", "rich", "pydantic", "structlog", "fastapi", "psycopg")
    ],
    "exchange": [("exchange", "edge_agent"), ("exchange", "firmware_sim")],
    "derive": [("exchange.derive", name) for name in ("ledger", "exchange.store", "psycopg", "os")],
    "sim": [("firmware_sim", "ledger"), ("firmware_sim", "exchange")],
    "tests": [(room, "tests") for room in ROOMS],
}


def contract_names() -> dict[str, str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract["name"] for contract in contracts}


def importer(place: str, imported: str) -> str:
    """The module that does the planted import: `place` itself, or a stray in that package."""
    is_package = (ROOT / place.replace(".", "/")).is_dir()
    return f"{place}.stray_{imported.replace('.', '_')}" if is_package else place


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Contract name to the strays that lint-imports reports under it."""
    copy = tmp_path_factory.mktemp("planted")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ("pyproject.toml", "tests/__init__.py", "tests/house"):
        (copy / path).parent.mkdir(exist_ok=True)
        copier = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copier(ROOT / path, copy / path)
    for plants in PLANTED.values():
        for place, imported in plants:
            module = copy / f"{importer(place, imported).replace('.', '/')}.py"
            with module.open("a") as file:
                file.write(f"\nimport {imported}\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=copy,
        env={"COLUMNS": "300", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    _, _, report = done.stdout.partition("Broken contracts")
    sections = re.split(r"\n(.+)\n-{3,}\n", report)
    return dict(zip(sections[1::2], sections[2::2], strict=True))


def test_every_contract_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(contract_names())


@pytest.mark.parametrize(
    ("contract", "place", "imported"),
    [(contract, *plant) for contract, plants in PLANTED.items() for plant in plants],
)
def test_planted_import_breaks_its_contract(
    broken: dict[str, str], contract: str, place: str, imported: str
) -> None:
    stray = f"{importer(place, imported)} -> {imported}"

    assert stray in broken[contract_names()[contract]]
