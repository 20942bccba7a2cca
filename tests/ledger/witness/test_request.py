"""The body of add-checkpoint: one form, bounded, and nothing else is read."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.witness.request import (
    REQUEST_BYTES_MAX,
    AddCheckpoint,
    RequestMalformed,
    format_request,
    format_size,
    parse_request,
    parse_size,
)

_HASH = b64encode(bytes(range(32))).decode()
_NOTE = b"log.example/a\n5\nx\n\n\xe2\x80\x94 log.example/a AAAA\n"


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.binary(max_size=300),
)
def test_what_is_written_is_read_again(size: int, proof: list[bytes], note: bytes) -> None:
    request = AddCheckpoint(size, tuple(proof), note)

    assert parse_request(format_request(request)) == request


@given(st.integers(0, 2**63 - 1))
def test_a_size_is_read_again(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    "head",
    [
        "",
        "old",
        "old ",
        "old -1",
        "old 01",
        "old +1",
        "old  1",
        "Old 1",
        "old 1 ",
        "old ١",
        f"old {2**63}",
        "old 10000000000000000000",
        f"old 1\n{_HASH[:-1]}",
        f"old 1\n{_HASH} ",
        f"old 1\r\n{_HASH}",
        f"old 1\n{_HASH[:-2]}9=",
        f"old 1\n{_HASH}{_HASH}",
        "old 1\n" + "\n".join([_HASH] * 64),
    ],
)
def test_another_form_is_refused(head: str) -> None:
    with pytest.raises(RequestMalformed):
        parse_request(head.encode() + b"\n\n" + _NOTE)


def test_a_request_without_an_empty_line_is_refused() -> None:
    with pytest.raises(RequestMalformed):
        parse_request(b"old 0\n")


def test_a_request_that_is_too_large_is_refused() -> None:
    body = b"old 0\n\n"
    whole = body + bytes(REQUEST_BYTES_MAX - len(body))

    assert parse_request(whole).old_size == 0
    with pytest.raises(RequestMalformed, match="too large"):
        parse_request(whole + b"x")


@pytest.mark.parametrize("body", [b"", b"1", b"\n", b"01\n", b"1\n\n", b"-1\n", b"9" * 30 + b"\n"])
def test_a_conflict_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(RequestMalformed):
        parse_size(body)


@given(st.binary(max_size=300))
def test_no_bytes_end_in_another_error(body: bytes) -> None:
    for hostile in (body, b"old 1\n" + body, b"old 1\n\n" + body):
        try:
            parse_request(hostile)
        except RequestMalformed:
            continue
