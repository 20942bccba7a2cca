"""One contract for every fence, and the file's own: locked, durable, whole at every crash."""

import multiprocessing
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.fence import FENCE_BYTES_MAX, Fence, FenceMoved, FenceUncertain, FileFence
from tests.ledger.fence_contract import Faulty, FenceContract
from tests.ledger.fences import MemoryFence


class FileFenceUnderFault:
    """A file fence with the faults of ``MemoryFence``, made by the file system's calls."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fence = FileFence(path)
        self.patch = monkeypatch

    def failing(self) -> None:
        """The new value's own sync: after those of the value and directory that are read first."""
        self.once("fsync", calls_before=2)

    def losing_answer(self) -> None:
        self.once("fsync", calls_before=3)

    def once(self, name: str, calls_before: int) -> None:
        real, calls = getattr(os, name), iter(range(1_000))

        def spoiled(*arguments: Any) -> Any:
            if next(calls) == calls_before:
                raise OSError("input/output error")
            return real(*arguments)

        self.patch.setattr(f"ledger.fence.os.{name}", spoiled)


@pytest.fixture(params=["memory", "file"])
def fence(request: pytest.FixtureRequest, tmp_path: Path) -> Fence:
    return MemoryFence() if request.param == "memory" else FileFence(tmp_path / "fence")


@pytest.fixture(params=["memory", "file"])
def faulty(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Faulty]:
    if request.param == "memory":
        memory = MemoryFence()
        yield (
            memory,
            lambda: setattr(memory, "fail_next", True),
            lambda: setattr(memory, "lose_next_answer", True),
        )
        return
    file = FileFenceUnderFault(tmp_path / "fence", monkeypatch)
    yield file.fence, file.failing, file.losing_answer


class TestFence(FenceContract):
    pass


_CALLS = ("open", "fsync", "rename", "close")


@pytest.mark.parametrize("call", _CALLS)
def test_every_failing_call_leaves_one_of_the_two_values(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail the first such call of a swap, then the second, until the swap passes untouched."""
    for failing in range(1_000):
        path = tmp_path / f"{call}-{failing}"
        FileFence(path).compare_and_swap(None, b"old")
        with monkeypatch.context() as patch:
            FileFenceUnderFault(path, patch).once(call, calls_before=failing)
            outcome = _outcome(FileFence(path))
        value = FileFence(path).read()

        assert (
            value
            in {
                "done": {b"new"},
                "failed": {b"old"},
                "uncertain": {b"old", b"new"},
            }[outcome]
        )
        if outcome == "done":
            assert failing > 0
            return
    pytest.fail("the swap never passed")


def _outcome(fence: Fence) -> str:
    try:
        fence.compare_and_swap(b"old", b"new")
    except FenceUncertain:
        return "uncertain"
    except OSError:
        return "failed"
    return "done"


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    FileFence(tmp_path / "fence").compare_and_swap(None, b"first")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"fence": 0o600, "fence.lock": 0o600}


def test_what_a_crash_left_of_a_swap_is_never_read(tmp_path: Path) -> None:
    fence = FileFence(tmp_path / "fence")
    (tmp_path / "fence.new").write_bytes(b"half of a much longer value")

    assert fence.read() is None
    fence.compare_and_swap(None, b"first")
    assert fence.read() == b"first"


def test_a_file_that_is_no_fence_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "fence").write_bytes(bytes(FENCE_BYTES_MAX + 1))

    with pytest.raises(OSError, match="too large"):
        FileFence(tmp_path / "fence").read()


def _count_up(path: Path, times: int) -> None:
    fence = FileFence(path)
    while times:
        value = fence.read()
        try:
            fence.compare_and_swap(value, b"%d" % (int(value or b"0") + 1))
        except FenceMoved:
            continue
        times -= 1


def test_processes_that_race_lose_no_swap(tmp_path: Path) -> None:
    path = tmp_path / "fence"
    context = multiprocessing.get_context("fork")
    racers = [context.Process(target=_count_up, args=(path, 25)) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(timeout=60)

    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    assert FileFence(path).read() == b"75"
