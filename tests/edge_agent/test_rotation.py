"""The agent's new key: what the old one may still send is listed, wherever it is killed."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent import rotation
from edge_agent.cli import main
from edge_agent.enrolment import EnrolmentRefused, enrol, read_key, read_request
from edge_agent.outbox import Outbox
from edge_agent.rotation import rotate
from edge_agent.sealer import Identity, Sealed, Sealer
from schemas.cose.keys import PublicKey
from schemas.limits import ROTATION_BOOTS_MAX
from schemas.statements.device_key import possession_message
from tests.edge_agent.broker import CARRIER, DEVICE
from tests.edge_agent.fake_exchange import ORIGIN, VEHICLE
from tests.edge_agent.opened import SPEED, T0, opened

NOW = T0 + 1_000_000


class Folder:
    """An enrolled agent's folder; ``drive`` is a start that seals some statements."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts = 0
        self.sealed: list[tuple[PublicKey, Sealed]] = []
        enrol(path, CARRIER, DEVICE, ORIGIN)

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        outbox = Outbox.open(self.path / "outbox.sqlite")
        try:
            yield outbox
        finally:
            outbox.close()

    def drive(self, statements: int) -> None:
        signer = read_key(self.path)
        identity = Identity(signer, f"hp:{CARRIER}/{DEVICE}", VEHICLE, ORIGIN)
        sealer = Sealer(identity, lambda n: bytes(n))
        self.starts += 1
        with self.outbox() as outbox:
            for seq in range(statements):
                chain = outbox.chain()
                one = opened([{SPEED: seq}], seq)
                one.boot = self.starts.to_bytes(8, "big")
                sealed = sealer.seal(one, chain.digest if chain else b"", 0)
                outbox.seal(sealed, one.last_ms, NOW)
                self.sealed += [(signer.public, each) for each in sealed]

    def rotate(self, again: str = "") -> dict[str, Any]:
        with self.outbox() as outbox:
            path = rotate(self.path, outbox, again)
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def receipt(self, statement_id: int) -> None:
        with self.outbox() as outbox:
            outbox.receipted({statement_id: 7}, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "truck")


def boot(number: int) -> str:
    return number.to_bytes(8, "big").hex()


def test_a_rotation_proves_the_new_key_and_lists_what_has_no_receipt(folder: Folder) -> None:
    old = read_key(folder.path).public
    folder.drive(2)
    folder.drive(3)
    folder.drive(1)
    for statement_id in (2, 5, 6):
        folder.receipt(statement_id)
    asked = folder.rotate()
    new = PublicKey.from_cose_key(bytes.fromhex(asked["cose_key"]))

    new.verify(possession_message(CARRIER, DEVICE, ORIGIN), bytes.fromhex(asked["proof"]))
    assert read_key(folder.path).public == new != old
    assert asked["replaces"] == old.thumbprint.hex()
    assert asked["boots"] == [[boot(1), 0], [boot(2), 1]]
    assert {path.stat().st_mode & 0o777 for path in folder.path.glob("*.*")} == {0o600}


def test_the_request_for_admission_is_of_the_new_key_as_well(folder: Folder) -> None:
    asked = folder.rotate()
    request = json.loads((folder.path / "request.json").read_text())

    assert request["cose_key"] == asked["cose_key"]
    assert read_request(folder.path).device == DEVICE


def test_a_key_of_which_nothing_has_a_receipt_is_not_rotated_again(folder: Folder) -> None:
    folder.drive(1)
    first = folder.rotate()
    folder.drive(1)
    again = folder.rotate()
    folder.receipt(1)
    still = folder.rotate()
    folder.receipt(2)
    second = folder.rotate()

    assert first == again == still
    assert second["replaces"] != first["replaces"]
    assert second["boots"] == []


def test_a_key_that_the_carrier_revoked_before_any_receipt_is_replaced_again(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    first = folder.rotate()
    folder.drive(2)
    revoked = read_key(folder.path).public
    named = revoked.thumbprint.hex()
    assert main(["rotate", "--dir", str(folder.path), "--again", named, "--json"]) == 0
    second = json.loads(Path(json.loads(capsys.readouterr().out)["rotation"]).read_text())

    assert first["cose_key"] == revoked.cose_key.hex()
    assert second["replaces"] == revoked.thumbprint.hex()
    assert second["boots"] == [[boot(1), 1]]
    assert read_key(folder.path).public.cose_key.hex() == second["cose_key"]
    assert folder.rotate() == folder.rotate(named) == second
    assert main(["rotate", "--dir", str(folder.path), "--again", first["replaces"]]) == 2


def test_what_an_earlier_key_signed_is_not_listed_for_a_later_one(folder: Folder) -> None:
    folder.drive(1)
    folder.rotate()
    folder.drive(2)
    folder.receipt(2)
    second = folder.rotate()

    assert second["boots"] == [[boot(2), 1]]


def test_more_starts_than_a_rotation_lists_are_sent_first(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "ROTATION_BOOTS_MAX", 2)
    for _ in range(3):
        folder.drive(1)
    old = read_key(folder.path).public

    with pytest.raises(EnrolmentRefused, match="let the agent send"):
        folder.rotate()
    assert read_key(folder.path).public == old
    assert ROTATION_BOOTS_MAX > 1_000


class Killed(BaseException):
    """The process ends here."""


def dies(monkeypatch: pytest.MonkeyPatch, at: int, done: bool) -> None:
    """Let the n-th rename or sync end the process, before or after; nothing is cleaned up."""
    count = 0

    def wrap(real: Callable[..., Any], steps: int) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            nonlocal count
            count += steps
            if count > at or (count == at and not done):
                count = at + 1
                raise Killed
            result = real(*args)
            if count == at:
                count += 1
                raise Killed
            return result

        return step

    for name, steps in (("replace", 1), ("fsync", 1), ("unlink", 0)):
        monkeypatch.setattr(os, name, wrap(getattr(os, name), steps))


@pytest.mark.parametrize("drives_between", [False, True], ids=["at once", "after a drive"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
def test_killed_at_any_step_it_is_finished_by_the_next_call(
    tmp_path: Path, done: bool, drives_between: bool, again: bool
) -> None:
    at = 0
    while True:
        at += 1
        folder = Folder(tmp_path / str(at))
        if again:
            folder.rotate()
        first = read_key(folder.path).public
        named = first.thumbprint.hex() if again else ""
        folder.drive(2)
        with pytest.MonkeyPatch.context() as patched:
            dies(patched, at, done)
            try:
                folder.rotate(named)
                break
            except Killed:
                pass
        if drives_between:
            folder.drive(1)
        asked = folder.rotate(named)
        check(folder, asked, first)
    assert at > 8


def check(folder: Folder, asked: dict[str, Any], first: PublicKey) -> None:
    """The new key is in place, everything that the replaced one signed is listed, all is tidy."""
    new = read_key(folder.path).public
    listed = {bytes.fromhex(name): last for name, last in asked["boots"]}
    assert asked["cose_key"] == new.cose_key.hex()
    assert asked["replaces"] == first.thumbprint.hex()
    for key, sealed in folder.sealed:
        assert key == new or sealed.seq <= listed[sealed.boot]
        assert key in (first, new)
    assert not list(folder.path.glob("*.next"))


def test_the_command_says_what_the_carrier_does_next(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rotate", "--dir", str(folder.path)]) == 0
    assert "haulproof device rotate" in capsys.readouterr().out
    assert main(["rotate", "--dir", str(folder.path), "--json"]) == 0
    rotated = json.loads(capsys.readouterr().out)

    assert rotated == {"rotation": str(folder.path / "rotation.json")}
    assert main(["rotate", "--dir", str(folder.path / "nowhere")]) == 2
