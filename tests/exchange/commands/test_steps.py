"""What a command says while it takes longer than a moment."""

import time

from exchange.commands.steps import Steps


def test_what_is_quick_says_nothing() -> None:
    said: list[str] = []
    with Steps(said.append, quiet_s=60.0) as steps:
        steps.step("preparing the directory")

    assert said == []


def test_what_is_slow_says_what_it_does_and_every_further_step() -> None:
    said: list[str] = []
    with Steps(said.append, quiet_s=0.01) as steps:
        steps.step("making the database")
        deadline = time.monotonic() + 30
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        steps.step("starting the broker")

    assert said == ["making the database …", "starting the broker …"]
