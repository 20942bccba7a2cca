"""With HAULPROOF_REQUIRE_REAL_PARTS=1 nothing can be skipped unnoticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

IN_A_TEST = """
import pytest

def test_needs_a_part():
    pytest.skip("the part is absent")
"""
IN_A_FIXTURE = """
import pytest

@pytest.fixture
def part():
    pytest.skip("the part is absent")

def test_needs_a_part(part):
    pass
"""
BY_A_MARK = """
import pytest

@pytest.mark.skipif(True, reason="the part is absent")
def test_needs_a_part():
    pass
"""
WHOLE_MODULE = """
import pytest

pytest.skip("the part is absent", allow_module_level=True)
"""


def run(folder: Path, source: str, switch: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_part.py").write_text(source + "\n\ndef test_without_parts():\n    pass\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "HAULPROOF_REQUIRE_REAL_PARTS": switch},
        capture_output=True,
        text=True,
        check=False,
    )


SKIPS = pytest.mark.parametrize(
    "source",
    [IN_A_TEST, IN_A_FIXTURE, BY_A_MARK, WHOLE_MODULE],
    ids=["in-a-test", "in-a-fixture", "by-a-mark", "whole-module"],
)


@SKIPS
def test_switch_turns_a_skip_into_a_failure_that_names_the_part(
    tmp_path: Path, source: str
) -> None:
    done = run(tmp_path, source, "1")

    assert done.returncode != 0
    assert "the part is absent" in done.stdout


@SKIPS
def test_without_the_switch_a_skip_stays_a_skip(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source, "")

    assert done.returncode in (0, 5)
    assert "1 skipped" in done.stdout
