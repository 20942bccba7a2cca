"""A database restored from an older backup: the fence refuses, and the log is made whole again.

The copy that the missing leaves come from is what a reader of the published log has kept: entries
whose root every checkpoint was held against.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

import edge_agent.cli
import haulproof.__main__
from exchange.transparency.repository import head
from ledger.fence import FileFence
from ledger.tiles import TILE_WIDTH, encode_bundle, entries_path
from tests.exchange.intake.whole_store import check_store
from tests.faults.driven import Agent, Drive, judged
from tests.faults.parts import wait_until
from tests.faults.published_log import LogReader
from tests.faults.receiving import Receiving
from tests.faults.stage import Stage


class Restored:
    """An exchange that was backed up, went on, and was restored."""

    def __init__(
        self, receiving: Receiving, folder: Path, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.receiving, self.stage = receiving, receiving.stage
        self.backup = folder / "backup"
        self.send()
        self.stage.back_up_database(self.backup)
        for _ in range(3):
            self.send()
        meanwhile()
        self.size = receiving.log.read()
        self.fence = FileFence(self.stage.directory.fence).read()
        self.stage.restore_database(self.backup)

    def send(self) -> None:
        self.receiving.send()
        self.receiving.until_recovered()
        self.receiving.judged()

    def connection(self) -> Connection[Any]:
        return psycopg.connect(self.stage.settings.database_url)

    def check_refused(self) -> None:
        """The signer says so, and the fence is what it was."""
        wait_until(lambda: "have been signed" in self.stage.signer_stopped_with(), "a refusal")
        assert FileFence(self.stage.directory.fence).read() == self.fence

    def recover(self, *words: str) -> dict[str, Any]:
        """What the command says, on this exchange's own database."""
        config = self.stage.folder / "recover.toml"
        config.write_text(f"database_url = {json.dumps(self.stage.settings.database_url)}\n")
        place = ["--dir", str(self.stage.directory.root), "--config", str(config)]
        said = io.StringIO()
        with redirect_stdout(said):
            code = haulproof.__main__.main(["log", "recover", *place, "--json", *words])
        return {"code": code, **json.loads(said.getvalue() or "{}")}

    def put_back(self, copy: LogReader) -> None:
        """The leaves that the database lacks, from the copy, until it is what the fence says."""
        folder = self.stage.folder / "copy"
        write_copy(folder, copy.entries[: self.size])
        looked = self.recover("--from", str(folder))
        assert (looked["code"], looked["state"], looked["put_back"]) == (0, "short", 0)
        done = self.recover("--from", str(folder), "--apply")
        assert (done["code"], done["state"], done["tree_size"]) == (0, "whole", self.size)
        assert done["put_back"] == looked["lacking"] > 0
        with self.connection() as conn:
            assert head(conn).root == copy.notes.roots[self.size]

    def start(self) -> None:
        for role in ("signer", "intake"):
            self.stage.start(role)


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Restored]:
    with closing(Stage(tmp_path)) as stage:
        stage.open()
        with closing(Receiving(stage)) as receiving:
            yield Restored(receiving, tmp_path)


def test_with_a_copy_of_the_log_everything_comes_back_to_its_own_leaf(restored: Restored) -> None:
    receiving = restored.receiving
    restored.stage.start("signer")
    restored.check_refused()
    restored.stage.parts["signer"].stop()

    restored.put_back(receiving.log)
    restored.start()
    restored.send()
    with restored.connection() as conn:
        assert head(conn).awaited > 0
    named = restored.recover("--missing", str(restored.stage.folder / "missing.jsonl"))
    trucks = named["missing"].pop("hp-dev")  # whose keys the stage admits without a statement
    assert sum(named["missing"].values()) == named["awaited"] > 0
    lines = Path(named["missing_file"]).read_text().splitlines()
    assert len(lines) == named["awaited"] + trucks
    receiving.fleet.ask_again()
    receiving.until_recovered()

    receiving.judged()
    with restored.connection() as conn:
        check_store(conn)
        assert head(conn).awaited == 0


@pytest.mark.long
def test_an_agent_that_is_asked_again_fills_the_leaves_that_it_had_receipts_for(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        stage = stack.enter_context(closing(Stage(tmp_path)))
        stage.open()
        drive = stack.enter_context(closing(Drive(tmp_path, 20_000)))
        agent = Agent(stage.enrol_agent(tmp_path / "truck", "agent-restored"), drive.sources)
        stack.callback(agent.kill)
        receiving = stack.enter_context(closing(Receiving(stage)))
        agent.start()
        agent.until_sealed_anew()
        since = datetime.now(UTC).isoformat()

        def until_nothing_more_comes() -> None:
            agent.until_sealed_anew()
            agent.kill()

        restored = Restored(receiving, tmp_path, until_nothing_more_comes)
        restored.put_back(receiving.log)
        assert edge_agent.cli.main(["resend", "--dir", str(agent.folder), "--since", since]) == 0
        restored.start()
        receiving.fleet.ask_again()
        agent.start()
        agent.until_sealed_anew()
        receiving.until_recovered()

        receiving.judged()
        verdict = judged(agent, drive, receiving.log)
        assert (verdict.lost, verdict.twice) == (0, 0)
        with restored.connection() as conn:
            check_store(conn)
            assert head(conn).awaited == 0


@pytest.mark.long
def test_while_the_fence_refuses_nothing_is_acknowledged_and_so_nothing_is_lost(
    restored: Restored,
) -> None:
    """Even when intake has worked on the restored database: then it is restored once more."""
    receiving = restored.receiving
    restored.start()
    for _ in range(4):
        receiving.send()
    wait_until(lambda: restored.stage.signer_stopped_with() != "", "a refusal")
    with restored.connection() as conn:
        wait_until(lambda: grown(conn) > restored.size, "the tree is as long as the fence's")
    wait_until(lambda: "no extension" in restored.stage.signer_stopped_with(), "a refusal")
    assert receiving.fleet.waiting() == 4 * 13
    assert receiving.log.look() <= restored.size

    restored.stage.restore_database(restored.backup)
    restored.put_back(receiving.log)
    restored.start()
    receiving.fleet.ask_again()
    receiving.until_recovered()
    receiving.judged()


def write_copy(folder: Path, entries: list[bytes]) -> None:
    """Entry bundles as a mirror keeps them."""
    for start in range(0, len(entries), TILE_WIDTH):
        held = entries[start : start + TILE_WIDTH]
        place = folder / entries_path(start // TILE_WIDTH, len(held))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encode_bundle(held))


def grown(conn: Connection[Any]) -> int:
    with conn.transaction():
        return head(conn).size
