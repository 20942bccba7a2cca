"""The demo says how far it has read a drive that takes its time."""

import time

import pytest

from haulproof.demo.cli import Telling


def test_a_large_drive_is_told_of_every_two_seconds_and_a_small_one_never(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    telling = Telling(quiet=False)

    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        telling.reading(share)
        now[0] += 1.0

    assert capsys.readouterr().out.splitlines() == [
        "  2.0 s  Reading the drive: 30%.",
        "  4.0 s  Reading the drive: 50%.",
    ]
