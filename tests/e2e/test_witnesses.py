"""A whole exchange and its witnesses, all as their own processes: two of three make it final."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from exchange.directory import open_directory
from exchange.settings import Settings
from ledger.checkpoint import open_checkpoint
from ledger.cosignature import verify_cosignature
from ledger.note import VKey, parse_note
from ledger.policy import Policy, parse_policy
from ledger.witness.cosigned import cosigned_by
from tests.e2e.shells import Background, in_front, wait_for
from tests.exchange.mosquitto import free_port
from tests.haulproof.log.witness.process import WitnessProcess

DEADLINE_S = 60.0


class Witnessed:
    """The exchange, two witnesses that run and one that never does."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        directory = open_directory(Settings(dir=folder / "ex"))
        self.log_key = VKey.parse(directory.log_vkey())
        self.second_log_key = VKey.parse(directory.log_ml_dsa_vkey())
        self.running = [self._witness(name, stack) for name in ("one", "two")]
        absent = self._witness("three", stack)
        absent.kill()
        lines = [w.policy_lines(w.folder.name) for w in [*self.running, absent]]
        text = f"{''.join(lines)}group two-of-three 2 one two three\nquorum two-of-three\n"
        self.policy: Policy = parse_policy(text.encode())
        (folder / "witnesses.txt").write_text(text)
        (folder / "exchange.toml").write_text(
            'witness_policy_file = "witnesses.txt"\nwitness_timeout_ms = 1000\n'
        )
        self.up = Background("haulproof up --dir ex --config exchange.toml --json", folder)
        stack.callback(self.up.__exit__)
        self.api = json.loads(wait_for(self._announced, DEADLINE_S, self._said))["api"]

    def grow(self, name: str) -> int:
        """Admit an organisation, which is a leaf; the size of the newest signed checkpoint then."""
        in_front(f"haulproof org key {name}.pem", self.folder)
        in_front(
            f"haulproof org add {name} --role carrier --key {name}.pem.pub --dir ex", self.folder
        )
        return self._size("checkpoint.latest")

    def until_final(self, size: int) -> set[str]:
        """Wait until a checkpoint of that size at least is final; the witnesses under it."""

        def final() -> set[str] | None:
            answer = httpx.get(f"{self.api}/log/checkpoint")
            if answer.status_code != httpx.codes.OK:
                return None
            if open_checkpoint(answer.content, self.log_key).head.size < size:
                return None
            verify_cosignature(parse_note(answer.content), self.second_log_key)
            return set(cosigned_by(parse_note(answer.content), self.policy.witnesses).times_s)

        return wait_for(final, DEADLINE_S, self._said)

    def _witness(self, name: str, stack: ExitStack) -> WitnessProcess:
        started = WitnessProcess(
            self.folder / name, f"{self.log_key}\n", f"{name}.example", free_port()
        )
        stack.callback(started.kill)
        return started

    def _size(self, name: str) -> int:
        note = httpx.get(f"{self.api}/log/{name}").content
        return open_checkpoint(note, self.log_key).head.size

    def _announced(self) -> str | None:
        return next((line for line in list(self.up.lines) if line.startswith("{")), None)

    def _said(self) -> str:
        return "\n".join(self.up.lines)


@pytest.fixture
def witnessed(tmp_path: Path) -> Iterator[Witnessed]:
    with ExitStack() as stack:
        yield Witnessed(tmp_path, stack)


def test_a_quorum_makes_checkpoints_final_through_the_death_of_a_witness(
    witnessed: Witnessed,
) -> None:
    both = {"one-ed25519", "one-ml-dsa", "two-ed25519", "two-ml-dsa"}
    assert witnessed.until_final(1) == both
    witnessed.running[0].kill()

    size = witnessed.grow("acme")
    latest = httpx.get(f"{witnessed.api}/log/checkpoint.latest")
    assert latest.status_code == httpx.codes.OK
    witnessed.running[0].start()

    assert witnessed.until_final(size) == both
    assert witnessed.until_final(witnessed.grow("other")) == both
