"""The evidence file: one encoding, named limits, nothing accepted that is not exactly it."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence import file as evidence_file
from ledger.evidence.file import (
    CommittedStatement,
    Evidence,
    EvidenceUnreadable,
    Form,
    decode,
    encode,
    make_evidence,
)
from ledger.evidence.independent import independent_verify
from tests.ledger.evidence.world import THRESHOLDS, drive

_DRIVE = drive()
_FULL = _DRIVE.full_file()

_statements = st.lists(
    st.tuples(st.integers(1, 255), st.binary(max_size=60)), min_size=1, max_size=6
).map(
    lambda items: tuple(
        CommittedStatement(7 * index, kind, raw) for index, (kind, raw) in enumerate(items)
    )
)


@given(
    st.builds(
        Evidence,
        form=st.sampled_from(Form),
        statements=_statements,
        hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=5).map(tuple),
        note=st.binary(max_size=300),
        thresholds=st.binary(max_size=50),
        key_status=st.binary(max_size=50),
    )
)
def test_what_is_written_is_read_again(evidence: Evidence) -> None:
    assert decode(encode(evidence)) == evidence


def test_the_file_is_plain_cbor_with_the_checksum_last() -> None:
    items = cbor2.loads(_FULL)

    assert items[:3] == ["hp-evidence", 1, 2]
    assert [len(item) for item in items[3]] == [3] * 9
    assert items[-1] == sha256(_FULL[:-34]).digest()
    assert cbor2.dumps(items) == _FULL


def _resealed(items: Any) -> bytes:
    body = cbor2.dumps(items)
    return body[:-32] + sha256(body[:-34]).digest()


def _with(place: int, value: Any) -> Callable[[list[Any]], None]:
    return lambda items: items.__setitem__(place, value)


def _statement(*item: Any) -> Callable[[list[Any]], None]:
    return _with(3, [list(item)])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_with(0, "hp-evidencf"), "not-evidence"),
        (_with(1, 2), "unsupported"),
        (_with(1, True), "malformed"),
        (_with(1, 1.0), "malformed"),
        (_with(2, 0), "unsupported"),
        (_with(2, 4), "unsupported"),
        (_with(2, "full"), "unsupported"),
        (_with(3, []), "too-large"),
        (_with(3, {}), "malformed"),
        (_statement(0, 1), "malformed"),
        (_statement(0, 1, b"", b""), "malformed"),
        (_statement(-1, 1, b""), "malformed"),
        (_statement(2**63, 1, b""), "malformed"),
        (_statement(0, 0, b""), "malformed"),
        (_statement(0, 256, b""), "malformed"),
        (_statement(False, 1, b""), "malformed"),
        (_statement(0, 1, "text"), "malformed"),
        (_statement(0, 1, bytes(65_537)), "too-large"),
        (_with(3, [[1, 1, b""], [1, 1, b""]]), "malformed"),
        (_with(3, [[2, 1, b""], [1, 1, b""]]), "malformed"),
        (_with(4, [bytes(31)]), "malformed"),
        (_with(4, [None]), "malformed"),
        (_with(5, "text"), "malformed"),
        (_with(5, bytes(1_000_001)), "too-large"),
        (_with(6, bytes(4_097)), "too-large"),
        (_with(7, bytes(65_537)), "too-large"),
    ],
)
def test_another_content_is_unreadable(change: Callable[[list[Any]], None], code: str) -> None:
    items = cbor2.loads(_FULL)
    change(items)

    with pytest.raises(EvidenceUnreadable) as error:
        decode(_resealed(items))
    assert error.value.code == code


def _longer_array(data: bytes) -> bytes:
    return data.replace(b"\x02\x89\x83", b"\x02\x98\x09\x83", 1)


def _indefinite_array(data: bytes) -> bytes:
    return data.replace(b"\x02\x89\x83", b"\x02\x9f\x83", 1)


def _longer_integer(data: bytes) -> bytes:
    return data.replace(b"\x83\x00\x0c", b"\x83\x18\x00\x0c", 1)


@pytest.mark.parametrize("change", [_longer_array, _indefinite_array, _longer_integer])
def test_another_encoding_of_the_same_content_is_unreadable(
    change: Callable[[bytes], bytes],
) -> None:
    changed = change(_FULL)
    assert changed != _FULL

    with pytest.raises(EvidenceUnreadable) as error:
        decode(changed[:-32] + sha256(changed[:-34]).digest())
    assert error.value.code == "malformed"


@pytest.mark.parametrize(
    "head", ["9affffffff", "9bffffffffffffffff", "5bffffffffffffffff", "81" * 64]
)
def test_a_length_that_is_not_there_reserves_nothing(head: str) -> None:
    body = _FULL[:14] + bytes.fromhex(head)

    data = body + b"\x58\x20" + sha256(body).digest()

    with pytest.raises(EvidenceUnreadable):
        decode(data)
    assert not independent_verify(data, "quorum none")["readable"]


def test_bytes_after_the_file_are_damage() -> None:
    with pytest.raises(EvidenceUnreadable) as error:
        decode(_FULL + b"\x00")
    assert error.value.code == "damaged"


@pytest.mark.parametrize(
    ("limit", "value"), [("FILE_BYTES_MAX", 100), ("STATEMENTS_MAX", 3), ("HASHES_MAX", 2)]
)
def test_every_limit_of_the_file_is_held(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_file, limit, value)

    with pytest.raises(EvidenceUnreadable) as error:
        decode(_FULL)
    assert error.value.code == "too-large"


def test_making_a_file_orders_the_statements_and_proves_them() -> None:
    world = _DRIVE.world
    data = make_evidence(
        Form.TRIP,
        world.committed([_DRIVE.trip, _DRIVE.exchange]),
        world.note(),
        world.get_node,
    )

    assert [one.index for one in decode(data).statements] == [_DRIVE.exchange, _DRIVE.trip]


def test_no_file_is_made_that_nobody_could_verify() -> None:
    world = _DRIVE.world
    one = world.committed([_DRIVE.trip])

    for statements, thresholds in (
        ([*one, *one], b""),
        ([CommittedStatement(10_000, 3, b"")], b""),
        ([], b""),
        (one, THRESHOLDS),
        ([CommittedStatement(0, 1, bytes(65_537))], b""),
    ):
        with pytest.raises(ValueError, match=r"indices|thresholds|read"):
            make_evidence(
                Form.TRIP, statements, world.note(), world.get_node, thresholds=thresholds
            )
    with pytest.raises(ValueError, match="thresholds"):
        make_evidence(Form.FULL, one, world.note(), world.get_node)
