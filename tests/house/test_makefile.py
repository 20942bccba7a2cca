"""The first command after a clone: what it says when something is missing, and when it does again.

The interpreters here are small scripts on a PATH of their own, so that a machine without Python, or
with an old one, is a folder. Exit codes are those of `.ci/venv`; make itself has one code, 2, for
every failure.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("sh", "make", "env", "dirname", "cat", "cksum", "cp", "mkdir", "rm", "sed", "touch")

INTERPRETER = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
*"version_info[:3]"*) echo {version} ;;
*"version_info < (3, 11)"*) exit {old} ;;
"-m venv --clear .venv")
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    cp "$0" .venv/bin/haulproof
    ;;
esac
"""


class Clone:
    """A clone of the project's build files in a folder, beside a PATH that holds no Python yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.path = folder / "bin"
        self.calls = folder / "calls"
        self.folder.mkdir()
        self.path.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.folder / name)
        shutil.copytree(ROOT / ".ci", self.folder / ".ci")
        for name in PROGRAMS:
            (self.path / name).symlink_to(shutil.which(name) or name)

    def install(self, name: str, version: str, old: int = 0) -> Path:
        return self.script(name, INTERPRETER.format(version=version, old=old))

    def script(self, name: str, text: str) -> Path:
        program = self.path / name
        program.write_text(text)
        program.chmod(0o755)
        return program

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": str(self.path), "CALLS": str(self.calls), **environment},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def make_venv(self, **environment: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return self.run("sh", ".ci/venv", **environment)

    def made(self) -> bool:
        """Whether the last call made the environment anew."""
        return "-m venv --clear .venv" in self.calls.read_text().splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def the_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The last line on stderr, once it is sure that the exit code names the environment."""
    assert done.returncode == 3, done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_without_python_it_says_what_to_install(clone: Clone) -> None:
    sentence = the_sentence(clone.make_venv())

    assert sentence.startswith("haulproof: no Python found: install Python 3.11 or newer")
    assert "apt install python3 python3-venv" in sentence


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_passes_the_sentence_on(clone: Clone, target: str) -> None:
    done = clone.run("make", target)

    assert done.returncode == 2
    assert "haulproof: no Python found" in done.stderr


def test_python_that_is_too_old_is_named(clone: Clone) -> None:
    clone.install("python3", "3.9.18", old=1)

    sentence = the_sentence(clone.make_venv())

    assert "Python 3.9.18 is too old" in sentence
    assert "make PYTHON=" in sentence


def test_newer_python_under_another_name_is_found(clone: Clone) -> None:
    clone.install("python3", "3.9.18", old=1)
    clone.install("python3.12", "3.12.1")

    done = clone.make_venv()

    assert done.returncode == 0, done.stderr
    assert "with Python 3.12.1" in done.stderr


def test_python_that_was_named_but_does_not_run_is_not_replaced_by_another(clone: Clone) -> None:
    clone.install("python3", "3.11.7")

    sentence = the_sentence(clone.make_venv(PYTHON="/nowhere/python3"))

    assert "PYTHON=/nowhere/python3 does not run" in sentence


def test_named_python_that_is_too_old_is_refused(clone: Clone) -> None:
    old = clone.install("old-python", "3.10.4", old=1)

    sentence = the_sentence(clone.make_venv(PYTHON=str(old)))

    assert "is Python 3.10.4, and 3.11 or newer is needed" in sentence


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_python_without_venv_names_the_package(clone: Clone, module: str) -> None:
    """Debian ships Python without ensurepip; here the real interpreter loses the module."""
    shadow = clone.folder / "shadow"
    shadow.mkdir()
    (shadow / f"{module}.py").write_text("raise ImportError\n")
    clone.script("python3", f'#!/bin/sh\nPYTHONPATH={shadow} exec {sys.executable} "$@"\n')

    sentence = the_sentence(clone.make_venv())

    assert "has no venv module with pip in it" in sentence
    assert "apt install python3-venv" in sentence


def test_index_out_of_reach_is_said_after_pips_own_message(clone: Clone) -> None:
    python = Path(sys.executable).resolve()
    (clone.path / "python3").symlink_to(python)

    done = clone.make_venv(
        PYTHON=str(python),
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/",
        PIP_RETRIES="0",
    )

    assert "check that the package index can be reached" in the_sentence(done)
    assert not (clone.folder / ".venv" / "made-from").exists()


@pytest.fixture
def clone_of_another() -> Iterator[Clone]:
    """A clone that an ordinary user can read and not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        clone = Clone(folder)
        clone.calls.touch()
        clone.calls.chmod(0o666)
        clone.folder.chmod(0o555)
        yield clone
        clone.folder.chmod(0o755)


def test_clone_of_somebody_else_is_said_in_a_sentence(clone_of_another: Clone) -> None:
    clone_of_another.install("python3", "3.11.7")

    done = subprocess.run(
        ["sh", ".ci/venv"],
        cwd=clone_of_another.folder,
        env={"PATH": str(clone_of_another.path), "CALLS": str(clone_of_another.calls)},
        capture_output=True,
        text=True,
        check=False,
        user=65534 if os.geteuid() == 0 else None,
    )

    assert "no permission to write .venv" in the_sentence(done)


def test_current_environment_is_reused_in_silence(clone: Clone) -> None:
    clone.install("python3", "3.11.7")
    first = clone.make_venv()
    assert clone.made()
    assert first.stderr.count("\n") == 1

    second = clone.make_venv()

    assert not clone.made()
    assert second.stdout + second.stderr == ""


def test_current_environment_needs_no_other_python(clone: Clone) -> None:
    clone.install("python3", "3.11.7")
    clone.make_venv()
    (clone.path / "python3").unlink()

    assert clone.make_venv().returncode == 0


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_environment_is_made_again_when_what_it_was_made_from_changes(
    clone: Clone, name: str
) -> None:
    clone.install("python3", "3.11.7")
    clone.make_venv()
    with (clone.folder / name).open("a") as file:
        file.write("\n# changed\n")

    clone.make_venv()

    assert clone.made()


def test_environment_is_made_again_for_another_python(clone: Clone) -> None:
    clone.install("python3", "3.11.7")
    clone.make_venv()
    other = clone.install("python3.13", "3.13.0")

    clone.make_venv(PYTHON=str(other))

    assert clone.made()


def test_environment_is_made_again_after_a_move_or_an_interruption(clone: Clone) -> None:
    clone.install("python3", "3.11.7")
    clone.make_venv()
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    clone.make_venv()
    assert clone.made()

    (clone.folder / ".venv" / "made-from").unlink()
    clone.make_venv()

    assert clone.made()


def test_make_alone_lists_the_targets(clone: Clone) -> None:
    done = clone.run("make")

    assert done.returncode == 0
    for target in ("demo", "test", "check", "test-long", "lock", "clean"):
        assert f"make {target} " in done.stdout
