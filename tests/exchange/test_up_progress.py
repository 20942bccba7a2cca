"""What ``haulproof up`` says while it starts."""

import time

import pytest

from exchange.commands.up import Steps


def test_a_quick_start_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps(quiet_s=60.0)
    steps.step("preparing the directory")
    steps.end()
    assert capsys.readouterr().err == ""


def test_a_slow_start_says_what_it_does_and_every_further_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = Steps(quiet_s=0.01)
    steps.step("making the database")
    said, deadline = "", time.monotonic() + 30
    while not said:
        assert time.monotonic() < deadline
        said = capsys.readouterr().err
    steps.step("starting the broker")
    steps.end()
    assert said == "haulproof up: making the database …\n"
    assert capsys.readouterr().err == "haulproof up: starting the broker …\n"
