import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from haulproof.bench.load.crew import all_ready, run_together

ROOT = Path(__file__).parents[3]


def tell_when(part: int) -> tuple[int, int, float, bool]:
    begins = all_ready()
    return part, os.getpid(), begins, time.monotonic() < begins + 60


def fail_if_odd(part: int) -> int:
    if part % 2:
        raise ValueError(f"part {part} cannot begin")
    all_ready()
    return part


def tell_pid_and_stay(_part: int) -> None:
    all_ready()
    # In one write: two processes share the pipe.
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(600)


def stay_forever() -> None:
    run_together(tell_pid_and_stay, [0, 1])


def test_every_part_has_a_process_and_all_are_told_the_same_moment() -> None:
    results = run_together(tell_when, [0, 1, 2])

    assert [part for part, *_ in results] == [0, 1, 2]
    assert len({process for _, process, *_ in results}) == 3
    assert len({begins for _, _, begins, _ in results}) == 1


def test_a_part_that_fails_ends_the_wait_of_the_others_and_is_told() -> None:
    with pytest.raises(ValueError, match="part 1 cannot begin"):
        run_together(fail_if_odd, [0, 1, 2])


def test_crew_of_a_bench_that_is_killed_ends_by_itself() -> None:
    words = "from tests.bench.load.test_crew import stay_forever; stay_forever()"
    with subprocess.Popen(
        [sys.executable, "-c", words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stdout is not None
        crew = [bench.stdout.readline() for _ in range(2)]
        bench.kill()

        # The pipe ends when the last process that holds it does.
        assert bench.stdout.read() == ""

    assert all(pid.strip().isdecimal() for pid in crew)


def test_being_ready_outside_of_a_crew_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="belongs to tasks"):
        all_ready()
