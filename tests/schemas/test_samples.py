"""Blocks and bursts: judged by types, order and length, and never in a second encoding."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.columns import encode_column
from schemas.cose import cbor
from schemas.errors import StatementRefused
from schemas.samples import Block, encode_block, encode_bursts, read_block, read_bursts
from tests.vectors.statements_generator import segment

BLOCK = encode_block(segment().block)
BURSTS = encode_bursts(segment().bursts)


def wide(head: int, number: int, size: int) -> bytes:
    """An integer or length of the major type in ``head``, in more bytes than it needs."""
    more = {1: 24, 2: 25, 4: 26, 8: 27}[size]
    return bytes([head | more]) + number.to_bytes(size, "big")


@given(st.data())
def test_a_changed_block_is_refused_or_is_the_encoding_of_what_it_reads_to(
    data: st.DataObject,
) -> None:
    changed = bytearray(BLOCK)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position] = data.draw(st.integers(0, 255))
    try:
        block = read_block(bytes(changed))
    except StatementRefused:
        return

    assert encode_block(block) == bytes(changed)


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes) -> None:
    for read in (read_block, read_bursts):
        with pytest.raises(StatementRefused):
            read(data)


@pytest.mark.parametrize("extra", [b"\x00", b"\xf6", BLOCK])
def test_bytes_after_a_block_or_bursts_are_refused(extra: bytes) -> None:
    with pytest.raises(StatementRefused):
        read_block(BLOCK + extra)
    with pytest.raises(StatementRefused):
        read_bursts(BURSTS + extra)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_an_integer_in_more_bytes_than_it_needs_is_refused(size: int) -> None:
    assert BLOCK[1] == 5  # n

    with pytest.raises(StatementRefused):
        read_block(BLOCK[:1] + wide(0x00, 5, size) + BLOCK[2:])


def test_shared_strings_cannot_pay_for_a_longer_integer() -> None:
    """Without the refusal of tags 25 and 256 this would be as long as the one encoding."""
    deltas = bytes(200)
    column = encode_column([7] * 200)
    assert column is not None
    plain = encode_block(Block(200, 1_000, None, {1: column, 2: column}))
    namespace, reference = b"\xd9\x01\x00", b"\xd8\x19\x00"
    first = b"\x82\x07\xd8\x48\x58\xc8" + deltas
    shared = b"\x83\x18\xc8\x19\x03\xe8\xa2\x01" + first + b"\x02\x82\x07\xd8\x48" + reference
    padded = namespace + shared
    padded += bytes(len(plain) - len(padded))

    assert len(padded) == len(plain)
    with pytest.raises(StatementRefused):
        read_block(padded)
    for tag in (25, 28, 29, 256):
        with pytest.raises(StatementRefused):
            cbor.load(cbor2.dumps(cbor2.CBORTag(tag, 0)))


@given(st.integers(-(2**64), 2**64 - 1))
def test_the_length_of_a_head_is_that_of_the_encoding(number: int) -> None:
    assert cbor.head_bytes(number) == len(cbor.encode(number))


def test_signal_ids_out_of_order_are_refused() -> None:
    column = encode_column([1])
    assert column is not None
    item = [column.first, cbor2.CBORTag(72, column.deltas)]

    with pytest.raises(StatementRefused, match="ascending"):
        read_block(cbor2.dumps([1, 1_000, {2: item, 1: item}]))
