"""A witness is asked from where it stands, and nothing that it answers is believed unproven."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.transparency.model import Published
from exchange.witnesses.client import (
    ANSWER_BYTES_MAX,
    NoCosignature,
    WitnessClient,
    http_for_witnesses,
)
from exchange.witnesses.model import WitnessAddress
from ledger.checkpoint import TreeHead
from ledger.note import NoteSignature
from ledger.witness.request import AddCheckpoint, parse_request
from tests.exchange.witnesses import misbehaving as habits
from tests.exchange.witnesses.misbehaving import Habit, serving
from tests.ledger.witness.logs import SmallLog, ed25519_witness, ml_dsa_witness

LOG = SmallLog(50)
ED25519, ML_DSA = ed25519_witness(1), ml_dsa_witness(2)
STRANGER = ed25519_witness(3)
KEYS = {"w": ED25519.vkey, "w-ml-dsa": ML_DSA.vkey}


def checkpoint(size: int) -> Published:
    return Published(LOG.note(size), size, LOG.head(size).root)


def asked(url: str, *sizes: int) -> list[dict[str, NoteSignature]]:
    """What one client gets for checkpoints of these sizes, one after the other."""

    async def ask() -> list[dict[str, NoteSignature]]:
        async with http_for_witnesses(10) as http:
            client = WitnessClient(http, WitnessAddress(url, KEYS), LOG.proof)
            return [await client.cosign(checkpoint(size)) for size in sizes]

    return asyncio.run(ask())


def test_one_server_answers_for_both_its_keys() -> None:
    with serving(habits.cosigning(ED25519, ML_DSA)) as url:
        (lines,) = asked(url, 30)

    assert lines.keys() == {"w", "w-ml-dsa"}


def test_it_is_asked_from_where_it_says_that_it_stands() -> None:
    seen: list[AddCheckpoint] = []
    with serving(habits.standing_at(20, ED25519, seen)) as url:
        (lines,) = asked(url, 30)

    assert lines.keys() == {"w"}
    assert [(one.old_size, one.proof) for one in seen] == [(0, ()), (20, LOG.proof(20, 30))]
    assert {one.note for one in seen} == {LOG.note(30)}


def test_the_next_checkpoint_is_asked_for_from_the_last() -> None:
    sizes: list[int] = []

    def answer(request: bytes, out: object) -> None:
        parsed = parse_request(request)
        sizes.append(parsed.old_size)
        habits.cosigning(ED25519)(request, out)  # type: ignore[arg-type]

    with serving(answer) as url:
        asked(url, 10, 30, 50)

    assert sizes == [0, 10, 30]


def _of_another_root(head: TreeHead) -> TreeHead:
    return replace(head, root=bytes(32))


HABITS: dict[str, tuple[Habit, str]] = {
    "cosigns another root": (habits.cosigning(ED25519, of=_of_another_root), "not to be used"),
    "cosigns another size": (
        habits.cosigning(ED25519, of=lambda head: replace(head, size=head.size + 1)),
        "not to be used",
    ),
    "cosigns with another key": (habits.cosigning(STRANGER), "no cosignature of a key"),
    "answers garbage": (habits.answering(200, b"\x00\xff" * 40), "not to be used"),
    "answers nothing": (habits.answering(200, b""), "no cosignature"),
    "answers with a page": (habits.answering(200, b"<html>" * 99, "text/html"), "not to be used"),
    "never ends": (habits.endless, f"more than {ANSWER_BYTES_MAX}"),
    "packs its answer": (
        habits.answering(200, bytes(99), more="Content-Encoding: gzip\r\n"),
        "compressed",
    ),
    "sends elsewhere": (
        habits.answering(307, b"", more="Location: http://127.0.0.1:1/\r\n"),
        "answered 307",
    ),
    "refuses": (habits.answering(403, b"not\x1b[31m trusted"), r"answered 403: not\[31m trusted"),
    "fails": (habits.answering(500, b"x" * 10_000), "answered 500"),
    "speaks no HTTP": (habits.no_http, "does not answer"),
    "hangs up": (habits.hanging_up, "does not answer"),
    "breaks off": (habits.breaking_off, "broke off"),
    "stands nowhere": (habits.conflict("x"), "cannot be read"),
    "stands beyond the log": (habits.conflict(31), "cosigned 31 leaves"),
    "stands at a number too large": (habits.conflict("9" * 40), "cannot be read"),
    "stands where it was asked from": (habits.conflict(0), "another root for 0"),
    "always stands elsewhere": (habits.conflict(20), "answered 409"),
    "conflicts in the old way": (habits.answering(409, b"30\n"), "answered 409: 30"),
}


PREFIXES = [
    b"",
    b"HTTP/1.1 ",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n— witness.example ".encode(),
]


@pytest.mark.parametrize("name", HABITS)
def test_one_that_misbehaves_gives_nothing(name: str) -> None:
    habit, says = HABITS[name]
    with serving(habit) as url, pytest.raises(NoCosignature, match=says):
        asked(url, 30)


@settings(max_examples=60)
@given(st.binary(max_size=400), st.sampled_from(PREFIXES))
def test_no_bytes_of_a_witness_end_in_another_error(data: bytes, prefix: bytes) -> None:
    def answer(_request: bytes, out: BinaryIO) -> None:
        out.write(prefix + data)

    with serving(answer) as url, pytest.raises(NoCosignature):
        asked(url, 30)


def test_one_that_is_not_there_gives_nothing() -> None:
    with pytest.raises(NoCosignature, match="does not answer"):
        asked(habits.closed_port(), 30)


def test_one_that_forgot_what_it_cosigned_is_not_counted_any_more() -> None:
    calls: list[int] = []

    def answer(request: bytes, out: object) -> None:
        calls.append(parse_request(request).old_size)
        habit = habits.cosigning(ED25519) if len(calls) == 1 else habits.conflict(20)
        habit(request, out)  # type: ignore[arg-type]

    async def ask(url: str) -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            client = WitnessClient(http, WitnessAddress(url, KEYS), LOG.proof)
            await client.cosign(checkpoint(30))
            for _ in range(2):
                with pytest.raises(NoCosignature, match="cosigned 30 leaves and now stands at 20"):
                    await client.cosign(checkpoint(50))

    with serving(answer) as url:
        asyncio.run(ask(url))

    assert calls == [0, 30, 30]


@pytest.mark.parametrize("kept", [False, True], ids=["failed", "done, but the answer was lost"])
def test_after_a_lost_answer_it_is_found_where_it_stands(kept: bool) -> None:
    stands_at = 0
    calls: list[int] = []

    def answer(request: bytes, out: object) -> None:
        nonlocal stands_at
        calls.append(parse_request(request).old_size)
        if len(calls) == 1:
            stands_at = 30 if kept else 0
            return
        habits.standing_at(stands_at, ED25519, [])(request, out)  # type: ignore[arg-type]

    async def ask(url: str) -> dict[str, NoteSignature]:
        async with httpx.AsyncClient(timeout=10) as http:
            client = WitnessClient(http, WitnessAddress(url, KEYS), LOG.proof)
            with pytest.raises(NoCosignature):
                await client.cosign(checkpoint(30))
            return await client.cosign(checkpoint(40))

    with serving(answer) as url:
        assert asyncio.run(ask(url)).keys() == {"w"}

    assert calls == ([0, 0, 30] if kept else [0, 0])


def test_after_a_bad_answer_it_is_asked_again_as_if_nothing_had_been() -> None:
    sizes: list[int] = []

    def answer(request: bytes, out: object) -> None:
        sizes.append(parse_request(request).old_size)
        habits.conflict("x" if len(sizes) == 1 else 10)(request, out)  # type: ignore[arg-type]

    async def ask(url: str) -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            client = WitnessClient(http, WitnessAddress(url, KEYS), LOG.proof)
            for _ in range(2):
                with pytest.raises(NoCosignature):
                    await client.cosign(checkpoint(30))

    with ExitStack() as stack:
        asyncio.run(ask(stack.enter_context(serving(answer))))

    assert sizes == [0, 0, 10]


def test_no_cookie_of_a_witness_is_kept() -> None:
    """Whether it answers or fails."""
    more = "Set-Cookie: a=1\r\nSet-Cookie: b=2; Max-Age=1000000; Path=/\r\n"
    seen: list[httpx.Cookies] = []

    async def ask(url: str) -> None:
        async with http_for_witnesses(10) as http:
            client = WitnessClient(http, WitnessAddress(url, KEYS), LOG.proof)
            with pytest.raises(NoCosignature):
                await client.cosign(checkpoint(30))
            seen.append(http.cookies)

    for status in (200, 500):
        with serving(habits.answering(status, b"x", more=more)) as url:
            asyncio.run(ask(url))

    assert [list(cookies.jar) for cookies in seen] == [[], []]
