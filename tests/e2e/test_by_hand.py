"""The README's way without the demo, its own commands, in several shells."""

import stat
from pathlib import Path

import pytest

from tests.e2e.by_hand import SECTION, trip_by_hand
from tests.e2e.readme import blocks_of


@pytest.mark.timeout(420)
def test_the_commands_of_the_readme_bring_a_verified_trip(tmp_path: Path) -> None:
    printed = trip_by_hand(tmp_path)

    assert printed.startswith("Verified: ")
    assert "7.1" in printed  # kilometres
    keys = [tmp_path / "acme.pem", tmp_path / "insurer.pem", tmp_path / "truck1" / "device.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_the_readme_says_what_the_shells_need_first() -> None:
    first = blocks_of(SECTION)[0]

    assert first == ['export PATH="$PWD/.venv/bin:$PATH"', "umask 077"]
