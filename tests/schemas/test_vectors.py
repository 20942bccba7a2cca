"""The reference vectors of segments, our own of every kind, and each held against its CDDL."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from pycddl import Schema

from schemas.columns import decode_column
from schemas.cose import cbor, sign1
from schemas.cose.keys import PublicKey
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind, kind_of_type
from schemas.names import parse_issuer
from schemas.samples import sample_offsets_ms
from schemas.segment import Segment, encode_segment, read_segment_strict
from schemas.statements import binding, device_key, gap, grant, org_key, release, revocation
from tests.vectors import statements_generator

VECTORS = Path(__file__).parents[1] / "vectors" / "haulproof"
CDDL = Path(__file__).parents[2] / "schemas" / "cddl"
SEGMENTS = json.loads((VECTORS / "segments.json").read_text())
STATEMENTS = json.loads((VECTORS / "statements.json").read_text())

CDDL_OF_KIND = {
    Kind.SEGMENT: "segment",
    Kind.GAP: "gap",
    Kind.GRANT: "grant",
    Kind.REVOCATION: "revocation",
    Kind.DEVICE_KEY: "device_key",
    Kind.ORG_KEY: "org_key",
    Kind.BINDING: "binding",
    Kind.DECLARATION: "release",
}


def reference_key() -> PublicKey:
    x, y = (bytes.fromhex(SEGMENTS["public_key"][axis]) for axis in "xy")
    return PublicKey.from_cose_key(cbor.encode({1: 2, 3: -7, -1: 1, -2: x, -3: y}))


def read_segment_statement(raw: bytes) -> tuple[sign1.Statement, Segment]:
    statement = sign1.parse(raw)
    if kind_of_type(statement.header.type) is not Kind.SEGMENT:
        raise StatementRefused(Reason.WRONG_TYPE, "not a segment")
    if parse_issuer(statement.header.issuer).device is None:
        raise StatementRefused(Reason.MALFORMED, "not a device")
    sign1.verify(statement, reference_key())
    return statement, read_segment_strict(statement.payload)


def matches(cddl: str, data: bytes) -> None:
    Schema((CDDL / f"{cddl}.cddl").read_text()).validate_cbor(data)


def test_the_reference_key_has_the_published_thumbprint() -> None:
    assert reference_key().thumbprint.hex() == SEGMENTS["public_key"]["thumbprint"]


@pytest.mark.parametrize("vector", SEGMENTS["good"], ids=lambda vector: vector["name"])
def test_a_good_segment_reads_to_the_published_values(vector: dict[str, Any]) -> None:
    statement, segment = read_segment_statement(bytes.fromhex(vector["statement"]))
    values = {
        str(signal): decode_column(column, segment.block.n)
        for signal, column in segment.block.columns.items()
    }

    assert statement.digest.hex() == vector["sha256"]
    assert sample_offsets_ms(segment.block) == vector["offsets_ms"]
    assert values == vector["signals"]
    assert encode_segment(segment) == statement.payload


def test_events_bursts_and_flags_read_to_the_published_values() -> None:
    vector = next(v for v in SEGMENTS["good"] if "bursts" in v)
    _, segment = read_segment_statement(bytes.fromhex(vector["statement"]))
    events = [
        [event.offset_ms, event.event_id, {str(k): v for k, v in event.detail.items()}]
        for event in segment.events
    ]

    assert events == vector["events"]
    assert segment.flags == vector["flags"]
    assert segment.seq == vector["seq"]
    assert [
        {
            "offset_ms": burst.offset_ms,
            "step_ms": burst.step_ms,
            "n": burst.n,
            "signals": {str(s): decode_column(c, burst.n) for s, c in burst.columns.items()},
        }
        for burst in segment.bursts
    ] == vector["bursts"]


@pytest.mark.parametrize("vector", SEGMENTS["refused"], ids=lambda vector: vector["name"])
def test_a_bad_segment_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(StatementRefused):
        read_segment_statement(bytes.fromhex(vector["statement"]))


@pytest.mark.parametrize("vector", SEGMENTS["good"], ids=lambda vector: vector["name"])
def test_a_good_segment_is_what_the_cddl_says(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["statement"])
    statement = sign1.parse(raw)
    fields = cbor.decode(statement.payload)

    matches("statement", raw)
    matches("header", statement.protected)
    matches("segment", statement.payload)
    matches("samples", zlib.decompress(fields[6], -15))
    if 11 in fields:
        matches("bursts", zlib.decompress(fields[11], -15))


@pytest.mark.parametrize(
    "vector", STATEMENTS["statements"], ids=lambda v: f"{v['suite']}-{v['kind']}"
)
def test_each_kind_under_each_suite_verifies_and_is_what_the_cddl_says(
    vector: dict[str, Any],
) -> None:
    raw = bytes.fromhex(vector["statement"])
    statement = sign1.parse(raw)
    kind = kind_of_type(statement.header.type)

    sign1.verify(
        statement, PublicKey.from_cose_key(bytes.fromhex(STATEMENTS["keys"][vector["suite"]]))
    )
    assert kind == vector["kind"]
    matches("statement", raw)
    matches("header", statement.protected)
    matches(CDDL_OF_KIND[kind], statement.payload)
    assert read_again(kind, statement) == statement.payload


def read_again(kind: Kind, statement: sign1.Statement) -> bytes:
    payload = statement.payload
    match kind:
        case Kind.SEGMENT:
            return encode_segment(read_segment_strict(payload))
        case Kind.DEVICE_KEY:
            return device_key.decode(payload, statement.header.origin).encode()
        case Kind.GAP:
            return gap.decode(payload).encode()
        case Kind.GRANT:
            return grant.decode(payload).encode()
        case Kind.REVOCATION:
            return revocation.decode(payload).encode()
        case Kind.ORG_KEY:
            return org_key.decode(payload).encode()
        case Kind.DECLARATION:
            return release.decode(payload).encode()
        case _:
            return binding.decode(payload).encode()


def test_the_generator_makes_the_committed_vectors_but_for_their_signatures() -> None:
    made = statements_generator.render()

    assert made["keys"] == STATEMENTS["keys"]
    for new, old in zip(made["statements"], STATEMENTS["statements"], strict=True):
        new_statement = sign1.parse(bytes.fromhex(new["statement"]))
        old_statement = sign1.parse(bytes.fromhex(old["statement"]))
        assert new_statement.header == old_statement.header
        if new["kind"] not in (Kind.ORG_KEY, Kind.DEVICE_KEY):  # these hold a signature
            assert new_statement.payload == old_statement.payload


def test_every_cddl_file_is_one_that_a_validator_reads() -> None:
    files = sorted(CDDL.glob("*.cddl"))

    assert files
    for file in files:
        Schema(file.read_text())
