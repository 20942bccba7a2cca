"""Disks that fill up or turn read-only: what can't be kept is not acknowledged, and is stated."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.driven import Agent, Drive, judged
from tests.faults.outbox_found import gaps
from tests.faults.parts import wait_until
from tests.faults.published_log import LogReader
from tests.faults.receiving import Receiving
from tests.faults.small_disks import fill, small_disk
from tests.faults.stage import Stage

pytestmark = pytest.mark.root

DRIVEN_S = 20_000
ENVIRONMENT = 3


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder can't be written to by whoever opens a file in it from now on."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def scene(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Agent, Drive, LogReader, Path]]:
    folder = tmp_path_factory.mktemp("disks")
    with (
        small_disk(folder / "disk", 2) as disk,
        closing(stage.reader()) as log,
        closing(Drive(folder, DRIVEN_S)) as drive,
    ):
        enrolled = stage.enrol_agent(disk / "truck", "agent-disk")
        agent = Agent(enrolled, drive.sources, log=folder / "agent.log")
        agent.start()
        agent.until_sealed_anew()
        yield agent, drive, log, disk
        agent.kill()


def ended_saying(agent: Agent, sentence: str) -> None:
    """The agent ended by itself, as its service manager would see it, with a sentence."""
    assert agent.process is not None
    assert agent.process.ended(deadline_s=30) == ENVIRONMENT
    assert sentence in agent.process.said().splitlines()[-1]


def test_an_agent_whose_disk_is_full_stops_with_a_sentence_and_states_what_it_missed(
    scene: tuple[Agent, Drive, LogReader, Path],
) -> None:
    agent, drive, log, disk = scene
    filler = fill(disk)
    ended_saying(agent, "disk is full")
    agent.start()
    ended_saying(agent, "disk is full")
    before = gaps(agent.found())

    filler.unlink()
    agent.start()
    agent.until_sealed_anew()
    agent.until_gap_is_stated()

    verdict = judged(agent, drive, log)
    assert (verdict.lost, verdict.twice) == (0, 0)
    assert gaps(agent.found()) > before


def test_an_agent_whose_disk_is_read_only_stops_with_a_sentence_and_goes_on_afterwards(
    scene: tuple[Agent, Drive, LogReader, Path],
) -> None:
    agent, drive, log, _ = scene
    agent.kill()
    with read_only(agent.folder):
        agent.start()
        ended_saying(agent, "read-only file system")
    agent.start()
    agent.until_sealed_anew()
    agent.until_gap_is_stated()

    verdict = judged(agent, drive, log)
    assert (verdict.lost, verdict.twice) == (0, 0)


def test_a_fence_on_a_read_only_disk_stops_signing_until_it_can_be_written(
    receiving: Receiving,
) -> None:
    stage = receiving.stage
    with read_only(stage.directory.root):
        receiving.send()
        wait_until(
            lambda: "fence cannot be used" in stage.signer_stopped_with(), "the signer stops"
        )
        assert receiving.fleet.waiting() > 0
    receiving.until_recovered()
    receiving.judged()


@pytest.mark.timeout(300)
@pytest.mark.long
def test_an_exchange_on_a_full_disk_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 300) as disk, closing(Stage(disk)) as stage:
        stage.open()
        with closing(Receiving(stage)) as receiving:
            receiving.send()
            receiving.until_recovered()
            filler = fill(disk)
            receiving.send()
            wait_until(lambda: "no space left" in logged(stage).lower(), "the disk is full")
            assert receiving.fleet.waiting() > 0

            filler.unlink()
            start_what_ended(stage)
            wait_until(lambda: looked_after(stage, receiving), f"receipts: {logged(stage)}")
            receiving.until_recovered()
            receiving.judged()


def looked_after(stage: Stage, receiving: Receiving) -> bool:
    """What the supervisor does every few seconds; whether everything has its receipt."""
    stage.nats.keep_reachable()
    return not receiving.fleet.waiting()


def logged(stage: Stage) -> str:
    """The end of what database, broker and roles have logged."""
    ends = []
    for path in stage.directory.logs.iterdir():
        with path.open("rb") as file:
            file.seek(max(0, os.path.getsize(path) - 20_000))
            ends.append(file.read().decode(errors="replace"))
    return "\n".join(ends)


def start_what_ended(stage: Stage) -> None:
    """As the supervisor does."""
    for server in (stage.postgres, stage.nats):
        if server.process is not None and server.process.poll() is not None:
            server.start()
    for role, part in list(stage.parts.items()):
        if part.ended() is not None:
            stage.start(role)
