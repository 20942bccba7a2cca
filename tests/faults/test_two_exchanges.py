"""Two exchanges on one database: one history, whoever signs, and a stranger signs nothing."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from exchange.directory import open_directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.postgres_cluster import DATABASE
from exchange.settings import Settings
from exchange.transparency.fence_row import RowFence
from ledger.fence import FileFence
from tests.exchange.fence_table import make_fence_table
from tests.faults.checker import Verdict
from tests.faults.injection import Order
from tests.faults.parts import PartProcess, wait_until
from tests.faults.points import Form
from tests.faults.receiving import Receiving
from tests.faults.stage import Stage
from tests.faults.table import TABLE


@pytest.fixture
def scene(receiving: Receiving) -> Iterator[Receiving]:
    """The session's exchange, which has one set of processes again afterwards."""
    yield receiving
    receiving.stage.configure()
    for role in ("signer", "intake"):
        if receiving.stage.parts[role].ended() is not None:
            receiving.stage.start(role)
    receiving.until_recovered()
    receiving.judged()


def roles_of(stage: Stage, root: Path, *roles: str) -> list[PartProcess]:
    """More processes on the stage's servers, with the directory ``root``."""
    words = ["--dir", str(root), "--config", str(stage.config)]
    return [PartProcess(role, words, stage.folder / f"second-{role}.log") for role in roles]


def cloned(stage: Stage, to: Path) -> Path:
    """A copy of the exchange's directory, without what its servers keep there."""
    to.mkdir(mode=0o700)
    for path in stage.directory.root.iterdir():
        if path.name in ("postgres", "nats", "logs"):
            (to / path.name).mkdir()
        elif path.is_dir():
            shutil.copytree(path, to / path.name)
        elif path.name != "lock":
            shutil.copy2(path, to)
    return to


def ended(parts: list[PartProcess]) -> None:
    for part in parts:
        part.stop()


def test_a_second_set_of_processes_takes_over_wherever_the_first_dies(scene: Receiving) -> None:
    """Both have one directory, and with it one fence: as two hosts on one shared store would."""
    stage = scene.stage
    intake, standby = roles_of(stage, stage.directory.root, "intake", "signer")
    signers = [stage.parts["signer"], standby]
    try:
        for step in ("head signed", "fence swapped", "history written"):
            for form in (Form.KILLED_BEFORE, Form.KILLED_AFTER):
                order = Order(f"signer: {step}", form)
                verdict, recovered_s = leader_dies(scene, signers, order)
                TABLE.add(f"one of two {order.point}", form, verdict, recovered_s, kills=True)
    finally:
        ended([intake, *signers])


def leader_dies(
    scene: Receiving, signers: list[PartProcess], order: Order
) -> tuple[Verdict, float]:
    """The first of two signs and dies, the second goes on; then there is another second."""
    leader = signers.pop(0)
    leader.arm(order)
    scene.send()
    assert leader.struck(), f"{order} was never passed: {leader.said()}"
    began = time.monotonic()
    scene.send()  # with a checkpoint over these, the second leads
    scene.until_recovered()
    recovered_s = time.monotonic() - began
    signers += roles_of(scene.stage, scene.stage.directory.root, "signer")
    return scene.judged(), recovered_s


@pytest.fixture
def fence_url(tmp_path: Path) -> Iterator[str]:
    """A server that is nobody's but the fence's."""
    server = EmbeddedPostgres(open_directory(Settings(dir=tmp_path / "fence-host")))
    server.start()
    try:
        to_database = conninfo.make_conninfo(server.superuser_url, dbname=DATABASE)
        with psycopg.connect(to_database, autocommit=True) as superuser:
            make_fence_table(superuser)
        yield server.url
    finally:
        server.stop()


def test_two_hosts_that_share_a_fence_take_over_from_each_other(
    scene: Receiving, tmp_path: Path, fence_url: str
) -> None:
    """Each has a directory of its own, with the same secrets and no fence in it."""
    stage = scene.stage
    roots = [cloned(stage, tmp_path / name) for name in ("first", "second")]
    for root in roots:
        (root / "fence").unlink()
    stage.configure(database_url=stage.settings.database_url, fence_url=fence_url)
    stage.parts["signer"].stop()
    row = RowFence(fence_url, stage.directory.origin or "", apart_from=0)
    row.compare_and_swap(None, FileFence(stage.directory.fence).read() or b"")
    signers = [roles_of(stage, root, "signer")[0] for root in roots]
    try:
        for turn in range(4):
            scene.send()
            scene.until_recovered()
            signers.pop(0).kill()
            scene.send()
            scene.until_recovered()
            scene.judged()
            signers += roles_of(stage, roots[turn % 2], "signer")
    finally:
        ended(signers)
        stage.directory.fence.write_bytes(row.read() or b"")
        row.close()


def test_a_clone_with_a_fence_of_its_own_signs_nothing_once_it_is_behind(
    scene: Receiving, tmp_path: Path
) -> None:
    stage, clone = scene.stage, cloned(scene.stage, tmp_path / "clone")
    stage.configure(database_url=stage.settings.database_url)
    scene.send()
    scene.until_recovered()
    fenced = FileFence(clone / "fence").read()
    stage.parts["signer"].stop()

    second = roles_of(stage, clone, "signer")
    try:
        scene.send()
        wait_until(lambda: "rolled back" in stage.signer_stopped_with(), second[0].said())
        assert scene.fleet.waiting() > 0
        assert FileFence(clone / "fence").read() == fenced
    finally:
        ended(second)


def test_a_stranger_on_the_database_signs_nothing(scene: Receiving, tmp_path: Path) -> None:
    stage = scene.stage
    stranger = open_directory(Settings(dir=tmp_path / "stranger"))
    _, user, password = stage.broker_login()
    stage.configure(
        database_url=stage.settings.database_url,
        nats_url=stage.nats.url,
        nats_user=user,
        nats_password=password,
    )
    for role in ("signer", "intake"):
        stage.parts[role].stop()
    second = roles_of(stage, stranger.root, "signer")
    try:
        scene.send()
        wait_until(
            lambda: "fence is empty or gone" in stage.signer_stopped_with(), second[0].said()
        )
        assert not stranger.fence.exists()
        assert scene.fleet.waiting() > 0
    finally:
        ended(second)
