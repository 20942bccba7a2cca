"""Deterministic CBOR: one encoding for a value, and any other bytes are refused."""

from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cose import cbor
from schemas.errors import StatementRefused

items = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers(-(2**32), 2**64 - 1), inner),
    max_leaves=20,
)


@given(items)
def test_a_value_decodes_from_its_encoding(value: object) -> None:
    assert cbor.decode(cbor.encode(value)) == value


@given(st.binary(max_size=64))
def test_bytes_are_either_the_encoding_of_their_value_or_refused(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except StatementRefused:
        return

    assert cbor.encode(value) == data


def test_keys_are_sorted_by_their_encoded_bytes() -> None:
    assert cbor.encode({-1: 0, 10: 0, 1: 0, 100: 0}) == bytes.fromhex("a401000a001864002000")


@pytest.mark.parametrize(
    "value",
    [1.5, {"text": 1}, {1: 2**64}, -(2**64) - 1, {True: 1}, [object()]],
    ids=["float", "text key", "past 64 bits", "below 64 bits", "boolean key", "object"],
)
def test_what_signed_bytes_do_not_have_is_not_encoded(value: object) -> None:
    with pytest.raises(TypeError):
        cbor.encode(value)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01ff",
        "1817",
        "9f01ff",
        "a201000100",
        "a202000100",
        "fb3ff8000000000000",
        "f93c00",
        "c11a514b67b0",
        "c249010000000000000000",
        "a1617801",
        "f7",
        "e0",
        "d84841ff",
        "81" * 40 + "00",
    ],
)
def test_every_other_form_is_refused(data: str) -> None:
    with pytest.raises(StatementRefused):
        cbor.decode(bytes.fromhex(data))


def test_tags_that_a_reader_names_are_read() -> None:
    assert cbor.decode(bytes.fromhex("d84841ff"), tags=(72,)) == cbor2.CBORTag(72, b"\xff")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes) -> None:
    with suppress(StatementRefused):
        cbor.decode_exact(data)


@given(st.binary(max_size=70) | st.binary(min_size=250, max_size=70_000), st.binary(max_size=4))
def test_a_byte_string_of_a_frame_is_read_with_where_it_ends(data: bytes, rest: bytes) -> None:
    encoded = b"\x00" + cbor.encode(data)

    assert cbor.byte_string(encoded + rest, 1) == (data, len(encoded))


@given(st.integers(0x40, 0x5F), st.binary(max_size=12))
def test_a_byte_string_in_another_form_or_cut_short_is_refused(head: int, rest: bytes) -> None:
    encoded = bytes([head]) + rest
    prefixes = [encoded[:end] for end in range(len(encoded) + 1) if is_bytes(encoded[:end])]
    try:
        found, end = cbor.byte_string(encoded, 0)
    except StatementRefused:
        assert prefixes == []
    else:
        assert prefixes == [encoded[:end]]
        assert cbor.decode(encoded[:end]) == found


def is_bytes(data: bytes) -> bool:
    try:
        return isinstance(cbor.decode(data), bytes)
    except StatementRefused:
        return False
