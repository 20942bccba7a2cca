"""What the house promises of every file in it: its size, its package, what stays out of it."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "ledger", "edge_agent", "exchange", "firmware_sim", "haulproof", "tests")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    """What git would commit; in an unpacked archive without git, everything but the hidden."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    found = [ROOT / name for name in names] or [
        path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".")
    ]
    return [path for path in found if path.is_file()]


def test_no_module_has_more_lines_than_the_limit() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_has_more_lines_than_the_limit() -> None:
    too_long = {
        f"{named(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }

    assert too_long == {}


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without __init__.py is left out of the wheel and unseen by the import contracts."""
    folders = {path.parent for path in MODULES}

    assert [
        named(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()
    ] == []


@pytest.mark.parametrize("room", ROOMS[:-1])
def test_every_room_tells_type_checkers_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()


def test_no_module_is_a_drawer_for_anything() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}

    assert [named(path) for path in MODULES if path.name in drawers] == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    """Paths of one machine and hosts of a package index have no place in a clone."""
    machine = re.compile(
        rb"(?<![\w.])/(?:root|work|farm|home/\w+)/\w"
        rb"|/opt/wheels|pypi\.org/simple|files\.pythonhosted|index-url|find-links|deb\.debian\.org"
    )
    here = {"tests/house/test_rooms.py", ".ci/lock"}
    strays = [
        f"{named(path)}: {found.group().decode()}"
        for path in tracked_files()
        if named(path) not in here and (found := machine.search(path.read_bytes()))
    ]

    assert strays == []


def test_lock_has_a_hash_for_every_package_and_no_address_or_path() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())

    assert not re.search(r"://|/|^-|@", lock, flags=re.MULTILINE)
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [entry for entry in entries if not re.match(r"[a-z0-9-]+==[\w.]+ ", entry)] == []
