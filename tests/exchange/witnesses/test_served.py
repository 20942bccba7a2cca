"""What readers are given: the newest final checkpoint, alone and in evidence."""

from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from exchange.directory import Directory
from exchange.transparency.model import Published
from exchange.transparency.newest import newest
from exchange.transparency.repository import statements_of
from exchange.witnesses.model import Round
from exchange.witnesses.repository import save_round
from ledger.checkpoint import TreeHead
from ledger.cosignature import cosign
from ledger.evidence.file import decode
from ledger.evidence.verify import verify_evidence
from ledger.policy import parse_policy
from ledger.tlog_proof import parse_proof
from tests.exchange.world import T0, World, running
from tests.ledger.witness.logs import ed25519_witness

WITNESS = ed25519_witness(8)


@pytest.fixture
def witnessed(postgres: str, exchange_directory: Directory, tmp_path: Path) -> Iterator[World]:
    """An exchange that one witness makes final."""
    policy = tmp_path / "witnesses.txt"
    policy.write_text(f"witness w {WITNESS.vkey} http://127.0.0.1:1\nquorum w\n")
    fence = tmp_path / "fence"
    with running(exchange_directory, postgres, fence, witness_policy_file=policy) as made:
        yield made


def newest_of(world: World) -> Published:
    with world.exchange.connection() as conn:
        return newest(conn)


def cosigned(world: World, *, final: bool = True) -> bytes:
    """The witness cosigns the newest checkpoint; the note that a round makes of it."""
    newest = newest_of(world)
    head = TreeHead(world.origin, newest.size, newest.root)
    held = Round(
        newest.note, newest.size, {"w": cosign(head, WITNESS, 1_750_000_000)}, final, final
    )
    with world.exchange.connection() as conn:
        save_round(conn, held)
    return held.cosigned_note


def a_trip(world: World) -> tuple[str, dict[str, str]]:
    """A published trip's id, and the headers of who may read it."""
    carrier = world.admit("acme", "carrier")
    device = world.add_device(carrier, "dev-1", "v-1")
    index = world.commit_segment(device, T0)
    trip, _ = world.commit_trip(device, T0, [index])
    world.publish()
    return trip, carrier.headers


def test_the_checkpoint_is_the_newest_final_one_and_latest_the_newest_signed(
    witnessed: World,
) -> None:
    http = witnessed.http
    witnessed.publish()

    assert http.get("/log/checkpoint").status_code == 503
    assert http.get("/log/checkpoint.latest").content == newest_of(witnessed).note
    first = cosigned(witnessed)
    witnessed.admit("acme", "carrier")
    witnessed.publish()
    cosigned(witnessed, final=False)

    assert http.get("/log/checkpoint").content == first
    assert http.get("/log/checkpoint.latest").content == newest_of(witnessed).note
    second = cosigned(witnessed)
    assert http.get("/log/checkpoint").content == second


def test_without_a_quorum_both_are_the_newest_signed(own_world: World) -> None:
    own_world.publish()
    cosigned(own_world)
    own_world.admit("acme", "carrier")
    own_world.publish()

    for path in ("/log/checkpoint", "/log/checkpoint.latest"):
        assert own_world.http.get(path).content == newest_of(own_world).note


def test_evidence_rests_on_the_final_checkpoint_that_covers_it(witnessed: World) -> None:
    trip, headers = a_trip(witnessed)
    path = f"/v1/trips/{trip}/evidence"
    before = witnessed.http.get(path, headers=headers)
    assert decode(before.content).note == newest_of(witnessed).note

    final = cosigned(witnessed)
    witnessed.admit("insurer", "insurer")
    witnessed.publish()
    after = witnessed.http.get(path, headers=headers)

    assert decode(after.content).note == final
    policy = f"log {witnessed.exchange.log_vkey}\nwitness w {WITNESS.vkey}\nquorum w\n"
    report = verify_evidence(after.content, parse_policy(policy.encode()))
    assert report.verified, report.sentences()
    assert report.witnesses == ("w",)


def test_evidence_of_what_is_not_final_yet_rests_on_the_newest_signed(witnessed: World) -> None:
    witnessed.publish()
    cosigned(witnessed)

    trip, headers = a_trip(witnessed)
    file = witnessed.http.get(f"/v1/trips/{trip}/evidence?form=full", headers=headers)

    assert decode(file.content).note == newest_of(witnessed).note


def test_a_tlog_proof_carries_the_cosignatures_of_what_is_final(witnessed: World) -> None:
    witnessed.admit("acme", "carrier")
    witnessed.publish()
    final = cosigned(witnessed)
    witnessed.admit("insurer", "insurer")
    witnessed.publish()
    with witnessed.exchange.connection() as conn:
        first, *_, last = statements_of(conn)

    proofs = [
        parse_proof(
            witnessed.http.get(
                f"/v1/log/records/{one.digest.hex()}", params={"form": "tlog-proof"}
            ).content
        )
        for one in (first, last)
    ]

    assert [proof.note for proof in proofs] == [final, newest_of(witnessed).note]


@pytest.mark.parametrize(
    ("read", "done"),
    [
        ("exchange.trips.endpoints.newest", True),
        ("exchange.transparency.evidence._key_records", False),
        ("exchange.transparency.evidence._key_records", True),
    ],
)
def test_a_round_that_ends_while_evidence_is_made_leaves_it_honest(
    witnessed: World, monkeypatch: pytest.MonkeyPatch, read: str, done: bool
) -> None:
    """The log grows and a new checkpoint becomes final just before, or just after, this read."""
    trip, headers = a_trip(witnessed)
    real, rounds = resolve_name(read), ["meanwhile"]

    def a_round_ends() -> None:
        while rounds:
            witnessed.admit(rounds.pop(), "insurer")
            witnessed.publish()
            cosigned(witnessed)

    def read_and_round(*args: Any) -> Any:
        if not done:
            a_round_ends()
        found = real(*args)
        a_round_ends()
        return found

    monkeypatch.setattr(read, read_and_round)
    answer = witnessed.http.get(f"/v1/trips/{trip}/evidence", headers=headers)

    assert rounds == []
    report = verify_evidence(
        answer.content, parse_policy(f"log {witnessed.exchange.log_vkey}\nquorum none\n".encode())
    )
    assert report.verified, report.sentences()
