"""A round ends whatever a witness does, with every good cosignature and nothing else."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

import httpx
import pytest

from exchange.transparency.model import LogDamaged, Published
from exchange.witnesses.client import WitnessClient
from exchange.witnesses.model import Round, addresses
from exchange.witnesses.rounds import Patience, Rounds
from ledger.cosignature import Ed25519Cosigner, cosign
from ledger.note import NoteSignature, parse_note
from ledger.policy import Policy, parse_policy
from ledger.witness.cosigned import cosigned_by
from ledger.witness.request import parse_request
from tests.exchange.witnesses import misbehaving as habits
from tests.exchange.witnesses.misbehaving import Habit, Silence, serving
from tests.ledger.witness.logs import SmallLog, ed25519_witness

LOG = SmallLog(50)
CHECKPOINT = Published(LOG.note(30), 30, LOG.head(30).root)
SIGNERS = {f"w{n}": ed25519_witness(n, f"w{n}.example") for n in range(1, 5)}
BRIEF, LONG = Patience(0.5, 0.0), Patience(60.0, 0.0)


def policy_of(urls: Mapping[str, str], quorum: str) -> Policy:
    lines = [f"witness {name} {SIGNERS[name].vkey} {url}" for name, url in urls.items()]
    group = f"group g {quorum} {' '.join(urls)}"
    return parse_policy("\n".join([*lines, group, "quorum g", ""]).encode())


def held(
    given: Mapping[str, Habit],
    quorum: str,
    patience: Patience,
    already: Mapping[str, NoteSignature] | None = None,
) -> Round:
    """One round among witnesses of these habits."""

    async def hold(policy: Policy) -> Round:
        async with httpx.AsyncClient(timeout=60) as http:
            clients = [WitnessClient(http, one, LOG.proof) for one in addresses(policy)]
            return await Rounds(policy, clients, patience).hold(CHECKPOINT, already)

    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving(habit)) for name, habit in given.items()}
        for habit in given.values():
            if isinstance(habit, Silence):
                stack.callback(habit.let_go.set)
        return asyncio.run(hold(policy_of(urls, quorum)))


def honest(name: str) -> Habit:
    return habits.cosigning(SIGNERS[name])


def test_all_that_answer_are_in_the_checkpoint() -> None:
    round_ = held({name: honest(name) for name in SIGNERS}, "all", LONG)

    assert round_.final
    keys = {name: signer.vkey for name, signer in SIGNERS.items()}
    assert cosigned_by(parse_note(round_.cosigned_note), keys).times_s.keys() == SIGNERS.keys()
    assert round_.cosigned_note.startswith(LOG.note(30))


@pytest.mark.parametrize(
    "habit",
    [
        habits.cosigning(SIGNERS["w1"], of=lambda head: LOG.head(29)),
        habits.conflict(99),
        habits.conflict("garbage"),
        habits.answering(200, b"garbage"),
        habits.answering(500, b"broken"),
        habits.endless,
        habits.no_http,
        habits.hanging_up,
    ],
)
def test_one_that_misbehaves_is_left_out_and_the_others_are_enough(habit: Habit) -> None:
    round_ = held({"w1": habit, "w2": honest("w2"), "w3": honest("w3")}, "2", LONG)

    assert (round_.final, set(round_.lines)) == (True, {"w2", "w3"})


def test_a_quorum_does_not_wait_for_a_silent_one() -> None:
    silence = Silence()

    round_ = held({"w1": silence, "w2": honest("w2")}, "any", LONG)

    assert (round_.final, set(round_.lines)) == (True, {"w2"})
    assert not silence.waited_out


def test_without_a_quorum_the_time_out_ends_the_round_and_what_came_is_kept() -> None:
    silence = Silence()

    round_ = held({"w1": silence, "w2": honest("w2")}, "all", BRIEF)

    assert (round_.final, set(round_.lines)) == (False, {"w2"})


def test_more_than_the_quorum_is_waited_for_when_that_is_configured() -> None:
    silence = Silence()

    def late(request: bytes, out: object) -> None:
        silence(request, out)  # type: ignore[arg-type]
        honest("w1")(request, out)  # type: ignore[arg-type]

    def first(request: bytes, out: object) -> None:
        honest("w2")(request, out)  # type: ignore[arg-type]
        out.flush()  # type: ignore[attr-defined]
        silence.let_go.set()

    round_ = held({"w1": late, "w2": first}, "any", Patience(60.0, 30.0))

    assert round_.lines.keys() == {"w1", "w2"}


def test_who_has_cosigned_is_not_asked_again() -> None:
    signer: Ed25519Cosigner = SIGNERS["w1"]
    already = {"w1": cosign(LOG.head(30), signer, 7)}

    round_ = held({"w1": habits.answering(500, b""), "w2": honest("w2")}, "all", LONG, already)

    assert round_.final
    assert round_.lines["w1"] == already["w1"]


def test_the_same_bytes_go_to_all() -> None:
    seen: list[bytes] = []

    def keep(name: str) -> Habit:
        def answer(request: bytes, out: object) -> None:
            seen.append(parse_request(request).note)
            honest(name)(request, out)  # type: ignore[arg-type]

        return answer

    held({name: keep(name) for name in SIGNERS}, "all", LONG)

    assert seen == [LOG.note(30)] * 4


@pytest.mark.parametrize("url", ["http://a..example", "http://127.0.0.1:99999"])
def test_an_address_that_cannot_be_asked_does_not_end_the_others(url: str) -> None:
    async def hold(policy: Policy) -> Round:
        async with httpx.AsyncClient(timeout=60) as http:
            clients = [WitnessClient(http, one, LOG.proof) for one in addresses(policy)]
            return await Rounds(policy, clients, LONG).hold(CHECKPOINT)

    with serving(honest("w2")) as good:
        round_ = asyncio.run(hold(policy_of({"w1": url, "w2": good}, "any")))

    assert (round_.final, set(round_.lines)) == (True, {"w2"})


def test_what_is_wrong_with_the_log_itself_ends_the_round() -> None:
    def no_proof(_old: int, _new: int) -> list[bytes]:
        raise LogDamaged("a node is gone")

    async def hold(policy: Policy) -> Round:
        async with httpx.AsyncClient(timeout=60) as http:
            clients = [WitnessClient(http, one, no_proof) for one in addresses(policy)]
            return await Rounds(policy, clients, LONG).hold(CHECKPOINT)

    with serving(honest("w1")) as url, pytest.raises(LogDamaged):
        asyncio.run(hold(policy_of({"w1": url}, "any")))


def test_a_line_that_is_there_is_not_replaced_by_a_newer_one_of_the_same_key() -> None:
    """A server with two keys that answers with one is asked again, and that brings no new line."""
    first, second = SIGNERS["w1"], ed25519_witness(9, "w1.example")
    already = {"a": cosign(LOG.head(30), first, 7)}

    async def hold(url: str) -> Round:
        lines = f"witness a {first.vkey} {url}\nwitness b {second.vkey} {url}\n"
        policy = parse_policy(f"{lines}group g all a b\nquorum g\n".encode())
        async with httpx.AsyncClient(timeout=60) as http:
            clients = [WitnessClient(http, one, LOG.proof) for one in addresses(policy)]
            return await Rounds(policy, clients, LONG).hold(CHECKPOINT, already)

    with serving(habits.cosigning(first)) as url:
        round_ = asyncio.run(hold(url))

    assert round_.lines == already
    assert not round_.done
