"""Trip statements: every field comes back, and what breaks a rule is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycddl import Schema

from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused
from schemas.limits import (
    TRIP_DIGESTS_MAX,
    TRIP_DIGESTS_WRITTEN_MAX,
    TRIP_GAPS_MAX,
    TRIP_INPUTS_MAX,
)
from schemas.statements.trip import ChainFault, Provenance, Trip, decode, group_digests
from schemas.statements.trip_content import (
    EndRule,
    Finding,
    FindingClass,
    FindingCode,
    Remark,
    StartRule,
    TripContent,
    TripEvent,
    read_content,
)

CDDL = Path(__file__).parents[2] / "schemas" / "cddl" / "trip.cddl"
VECTORS = Path(__file__).parents[1] / "vectors" / "haulproof" / "trips.json"
T0 = 1_700_000_000_000
DIGESTS = tuple(bytes([number]) * 32 for number in range(3))


def content() -> TripContent:
    return TripContent(
        trip_id=bytes(16),
        carrier="carrier-a",
        vehicle="v-5f3a",
        derivation=1,
        thresholds=bytes(32),
        window=(T0, T0 + 500_000),
        start=(T0, StartRule.ENGINE),
        end=(T0 + 100_000, EndRule.STANDING),
        first_moving_ms=T0 + 2_000,
        moving_ms=70_000,
        standing_ms=20_000,
        gap_ms=10_000,
        samples=91,
        conflicts=2,
        assurance=1,
        odometer_m=1_200,
        gnss_mm=1_195_000,
        chords=(12_000, 1),
        speed=(8_000, 5_100),
        stops=((T0 + 5_000, T0 + 15_000),),
        gaps=((T0 + 20_000, T0 + 30_000),),
        start_position=(-521_234_567, 101_234_567),
        end_position=(521_300_000, -101_300_000),
        odometer=(1_000_000, 1_001_200),
        events=(TripEvent(T0 + 7, 9, {1: -5, 2: "x", 3: b"y"}),),
        findings=(
            Finding(FindingCode.POSITION_JUMP, FindingClass.CONTRADICTION, T0, T0 + 1, (-1, 2)),
        ),
        remarks={Remark.STANDING_PATH_MM: 163_000},
    )


def provenance() -> Provenance:
    return Provenance(
        revision=2,
        supersedes=((bytes(16), 1),),
        inputs=(4, 7, 1_000_000),
        digests=DIGESTS,
        faults=((7, ChainFault.FORK),),
        flags={1: 1},
        watermark=(12, T0),
        bindings=(2,),
    )


def trip() -> Trip:
    return Trip(content(), provenance(), bytes(range(16)))


def test_trip_comes_back_as_it_was_written() -> None:
    read = decode(trip().encode())

    assert read == trip()
    assert read.encode() == trip().encode()


def test_trip_of_sources_that_were_absent_comes_back() -> None:
    bare = replace(
        content(),
        odometer_m=None,
        odometer=None,
        gnss_mm=None,
        chords=None,
        speed=None,
        start_position=None,
        end_position=None,
        stops=(),
        gaps=(),
        events=(),
        findings=(),
        remarks={},
    )
    fewer = replace(provenance(), watermark=None, supersedes=(), faults=(), flags={}, bindings=())

    assert decode(Trip(bare, fewer, bytes(16)).encode()) == Trip(bare, fewer, bytes(16))


def test_trip_is_what_the_cddl_says() -> None:
    Schema(CDDL.read_text()).validate_cbor(trip().encode())


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda one: one["drive"])
def test_content_of_recorded_drives_is_read(vector: dict[str, Any]) -> None:
    read = read_content(cbor.decode(bytes.fromhex(vector["content"])))

    assert read.digest.hex() == vector["digest"]
    Schema(CDDL.read_text()).validate_cbor(Trip(read, provenance(), bytes(16)).encode())


def refused(change: Callable[[dict[int, Any]], None], *, of: int | None = None) -> StatementRefused:
    """How a payload is refused after a change to it (or to its part ``of``), digest made right."""
    fields = cbor.decode(trip().encode())
    change(fields if of is None else fields[of])
    if of == 2:
        fields[4] = hashlib.sha256(cbor.encode(fields[2])).digest()
    with pytest.raises(StatementRefused) as found:
        decode(cbor.encode(fields))
    return found.value


def setting(key: int, value: object) -> Callable[[dict[int, Any]], None]:
    return lambda fields: fields.__setitem__(key, value)


def without(key: int) -> Callable[[dict[int, Any]], None]:
    return lambda fields: fields.__delitem__(key)


BROKEN_CONTENT = [
    setting(1, bytes(15)),
    setting(2, "No Name"),
    setting(3, ""),
    setting(5, bytes(31)),
    setting(6, [T0, T0 - 1]),
    setting(7, [T0, 4]),
    setting(8, [T0, 0]),
    setting(9, -1),
    setting(13, [1, 2]),
    setting(14, [1]),
    setting(15, [[T0 + 9, T0 + 10], [T0, T0 + 1]]),
    setting(16, [[T0, T0]] * (TRIP_GAPS_MAX + 1)),
    setting(19, [900_000_001, 0]),
    setting(22, 4),
    setting(23, [[T0, 1, {1: [2]}]]),
    setting(24, [[6, 1, T0, T0, []]]),
    setting(24, [[1, 4, T0, T0, []]]),
    setting(24, [[1, 1, T0, T0, ["x"]]]),
    setting(24, [[1, 1, T0, T0, [0] * 9]]),
    setting(25, {8: 1}),
    setting(26, 0),
    without(11),
    without(12),
    without(10),
    without(21),
    without(25),
]

BROKEN_PROVENANCE = [
    setting(1, 0),
    setting(2, [[bytes(15), 1]]),
    setting(2, [[bytes(16), 1]] * 65),
    setting(3, [4, 0, 5]),
    setting(3, [1] * (TRIP_INPUTS_MAX + 1)),
    setting(4, bytes(63)),
    setting(4, bytes(128)),
    setting(4, b""),
    setting(5, [[7, 4]]),
    setting(5, [[7, 1]] * 65),
    setting(6, {3: 1}),
    setting(7, [1] * 65),
    setting(8, [1]),
    setting(9, 3),
    without(3),
]


@pytest.mark.parametrize("change", BROKEN_CONTENT)
def test_content_that_breaks_a_rule_is_refused(change: Callable[[dict[int, Any]], None]) -> None:
    assert refused(change, of=2).reason is Reason.MALFORMED


@pytest.mark.parametrize("change", BROKEN_PROVENANCE)
def test_provenance_that_breaks_a_rule_is_refused(
    change: Callable[[dict[int, Any]], None],
) -> None:
    assert refused(change, of=3).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (setting(1, 2), Reason.UNSUPPORTED),
        (setting(4, bytes(32)), Reason.MALFORMED),
        (setting(9, bytes(15)), Reason.MALFORMED),
        (setting(5, 0), Reason.MALFORMED),
        (without(3), Reason.MALFORMED),
    ],
)
def test_payload_that_breaks_a_rule_is_refused(
    change: Callable[[dict[int, Any]], None], reason: Reason
) -> None:
    assert refused(change).reason is reason


def test_content_of_another_digest_is_refused() -> None:
    fields = cbor.decode(trip().encode())
    fields[2][17] += 1

    with pytest.raises(StatementRefused, match="another content"):
        decode(cbor.encode(fields))


@given(st.integers(0, 300), st.integers(0, 255))
def test_any_byte_changed_is_refused_or_another_trip(place: int, value: int) -> None:
    encoded = bytearray(trip().encode())
    place %= len(encoded)
    encoded[place] = value
    try:
        read = decode(bytes(encoded))
    except StatementRefused:
        return
    assert read.encode() == bytes(encoded)


@pytest.mark.parametrize("at_most", [TRIP_DIGESTS_WRITTEN_MAX, TRIP_DIGESTS_MAX])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, TRIP_DIGESTS_MAX + 1, TRIP_INPUTS_MAX])
def test_digests_of_any_number_of_inputs_fix_them_all(n: int, at_most: int) -> None:
    digests = [number.to_bytes(32, "big") for number in range(n)]
    grouped = group_digests(digests, at_most)
    cited = replace(provenance(), inputs=tuple(range(n)), digests=grouped)

    assert len(grouped) <= at_most
    assert cited.matches(digests)
    assert decode(replace(trip(), provenance=cited).encode()).provenance == cited
    for place in {0, n // 2, n - 1} & set(range(n)):
        other = [*digests[:place], b"\xff" * 32, *digests[place + 1 :]]
        assert not cited.matches(other)
    assert not cited.matches([*digests, bytes(32)])


@pytest.mark.parametrize("count", [0, 3, 33, 64, 99, 101])
def test_digests_of_no_grouping_are_refused(count: int) -> None:
    inputs = tuple(range(100))
    cited = replace(provenance(), inputs=inputs, digests=(bytes(32),) * count)

    assert not cited.matches([bytes(32)] * len(inputs))
    with pytest.raises(StatementRefused):
        decode(replace(trip(), provenance=cited).encode())


def test_more_digests_than_a_reader_takes_are_refused() -> None:
    inputs = tuple(range(TRIP_DIGESTS_MAX + 1))
    cited = replace(provenance(), inputs=inputs, digests=(bytes(32),) * len(inputs))

    with pytest.raises(StatementRefused):
        decode(replace(trip(), provenance=cited).encode())


def test_largest_trip_fits_a_statement() -> None:
    """All lists at their limits; 600 bytes are left for header and signature of ES256."""
    inputs = tuple(range(10**9, 10**9 + 70_000 * TRIP_INPUTS_MAX, 70_000))
    largest = Trip(
        replace(
            content(),
            stops=tuple((T0 + i, T0 + i) for i in range(64)),
            gaps=tuple((T0 + i, T0 + i) for i in range(64)),
            events=tuple(TripEvent(T0, 2**20, {1: "x" * 25}) for _ in range(64)),
            findings=content().findings * 32,
        ),
        replace(
            provenance(),
            inputs=inputs,
            digests=group_digests([bytes(32)] * len(inputs)),
            faults=tuple((index, ChainFault.BREAK) for index in inputs[:64]),
            supersedes=((bytes(16), 1),) * 64,
            bindings=inputs[:64],
        ),
        bytes(16),
    )

    assert len(largest.encode()) < 65_536 - 600
