"""Gaps, keys, bindings, grants and revocations: read back whole, and each broken rule refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cose import cbor, sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import StatementRefused
from schemas.kinds import TYPE_TEXT, Kind, kind_of_type
from schemas.limits import RELEASE_DIGESTS_MAX, ROTATION_BOOTS_MAX, SEQ_MAX, TIME_MS_MAX
from schemas.names import device_issuer, org_issuer, parse_issuer
from schemas.statements import binding, device_key, gap, grant, org_key, release, revocation
from tests.vectors.statements_generator import ORIGIN, SIGNERS, payloads

SIGNER = SIGNERS["ES256"]
OTHER = SoftwareSigner.generate()
PAYLOADS = {kind: payload for kind, (_, _, payload) in payloads(SIGNER).items()}

READERS: dict[Kind, Callable[[bytes], object]] = {
    Kind.GAP: gap.decode,
    Kind.GRANT: grant.decode,
    Kind.REVOCATION: revocation.decode,
    Kind.DEVICE_KEY: lambda payload: device_key.decode(payload, ORIGIN),
    Kind.ORG_KEY: org_key.decode,
    Kind.BINDING: binding.decode,
    Kind.DECLARATION: release.decode,
}

BROKEN: list[tuple[Kind, dict[int, Any]]] = [
    (Kind.GAP, {5: 2, 6: 1}),
    (Kind.GAP, {7: 256}),
    (Kind.GAP, {3: 0, 4: bytes(1)}),
    (Kind.GAP, {8: [9, 0]}),
    (Kind.GRANT, {2: "Not A Name"}),
    (Kind.GRANT, {3: "curiosity"}),
    (Kind.GRANT, {4: ""}),
    (Kind.GRANT, {5: []}),
    (Kind.GRANT, {5: ["v-2", "v-1"]}),
    (Kind.GRANT, {5: ["v-1", "v-1"]}),
    (Kind.GRANT, {6: []}),
    (Kind.GRANT, {7: 3}),
    (Kind.GRANT, {8: 2}),
    (Kind.GRANT, {8: True}),
    (Kind.GRANT, {12: -1}),
    (Kind.REVOCATION, {2: 1}),
    (Kind.REVOCATION, {2: 99}),
    (Kind.REVOCATION, {3: bytes(31)}),
    (Kind.DEVICE_KEY, {2: "carrier-b"}),
    (Kind.DEVICE_KEY, {3: "device-2"}),
    (Kind.DEVICE_KEY, {4: OTHER.public.cose_key}),
    (Kind.DEVICE_KEY, {5: bytes(64)}),
    (Kind.DEVICE_KEY, {6: 0}),
    (Kind.DEVICE_KEY, {6: 4}),
    (Kind.DEVICE_KEY, {7: "x" * 257}),
    (Kind.DEVICE_KEY, {10: bytes(31)}),
    (Kind.DEVICE_KEY, {11: [[bytes(8), 0], [bytes(8), 1]]}),
    (Kind.DEVICE_KEY, {11: [[b"b" * 8, 0], [b"a" * 8, 0]]}),
    (Kind.DEVICE_KEY, {11: [[bytes(7), 0]]}),
    (Kind.DEVICE_KEY, {11: [[bytes(8), -1]]}),
    (Kind.DEVICE_KEY, {11: [[bytes(8)]]}),
    (Kind.DEVICE_KEY, {11: [[n.to_bytes(8, "big"), 0] for n in range(2_049)]}),
    (Kind.DECLARATION, {2: 0}),
    (Kind.DECLARATION, {2: 2}),
    (Kind.DECLARATION, {4: []}),
    (Kind.DECLARATION, {4: [bytes(31)]}),
    (Kind.DECLARATION, {4: [b"b" * 32, b"a" * 32]}),
    (Kind.DECLARATION, {4: [bytes(32), bytes(32)]}),
    (Kind.DECLARATION, {4: [n.to_bytes(32, "big") for n in range(1_025)]}),
    (Kind.ORG_KEY, {2: "Carrier A"}),
    (Kind.ORG_KEY, {3: "king"}),
    (Kind.ORG_KEY, {4: OTHER.public.cose_key}),
    (Kind.ORG_KEY, {5: b""}),
    (Kind.BINDING, {2: "Device"}),
    (Kind.BINDING, {3: ""}),
    (Kind.BINDING, {4: 5, 5: 5}),
]


def changed(kind: Kind, change: dict[int, Any]) -> bytes:
    fields = {**cbor.decode(PAYLOADS[kind]), **change}
    return cbor2.dumps(dict(sorted(fields.items())))


@pytest.mark.parametrize(("kind", "change"), BROKEN)
def test_each_broken_rule_is_refused(kind: Kind, change: dict[int, Any]) -> None:
    with pytest.raises(StatementRefused):
        READERS[kind](changed(kind, change))


@pytest.mark.parametrize("kind", READERS)
def test_another_version_a_missing_key_and_an_unknown_key_are_refused(kind: Kind) -> None:
    fields = cbor.decode(PAYLOADS[kind])
    without = {key: value for key, value in fields.items() if key != 9}
    for wrong in ({**fields, 1: 2}, without, {**fields, 99: 0}):
        with pytest.raises(StatementRefused):
            READERS[kind](cbor.encode(wrong))


def test_a_device_key_proves_possession_for_one_log_only() -> None:
    with pytest.raises(StatementRefused, match="bad-signature"):
        device_key.decode(PAYLOADS[Kind.DEVICE_KEY], "example.org/another-log")


def test_a_rotation_names_both_the_key_and_its_boots_or_is_none() -> None:
    fields = cbor.decode(PAYLOADS[Kind.DEVICE_KEY])
    for missing in (10, 11):
        half = {key: value for key, value in fields.items() if key != missing}
        with pytest.raises(StatementRefused, match="rotation"):
            device_key.decode(cbor.encode(half), ORIGIN)
    first = {key: value for key, value in fields.items() if key not in (10, 11)}

    assert device_key.decode(cbor.encode(first), ORIGIN).rotation is None


@given(
    st.dictionaries(
        st.binary(min_size=8, max_size=8), st.integers(0, SEQ_MAX), max_size=ROTATION_BOOTS_MAX
    )
)
def test_a_rotation_reads_back_whole_and_lists_up_to_its_last(boots: dict[bytes, int]) -> None:
    record = device_key.decode(PAYLOADS[Kind.DEVICE_KEY], ORIGIN)
    rotation = device_key.Rotation(bytes(32), boots)
    read = device_key.decode(replace(record, rotation=rotation).encode(), ORIGIN)

    assert read.rotation == rotation
    for boot, last in boots.items():
        assert rotation.lists(boot, last)
        assert not rotation.lists(boot, last + 1)
    assert not rotation.lists(b"no boot", 0)


def test_the_largest_rotation_and_release_are_statements_under_the_largest_suite() -> None:
    signer = SIGNERS["ML-DSA-65"]
    first = device_key.decode(payloads(signer)[Kind.DEVICE_KEY][2], ORIGIN)
    boots = {n.to_bytes(8, "big"): SEQ_MAX for n in range(ROTATION_BOOTS_MAX)}
    rotation = replace(first, note="n" * 256, rotation=device_key.Rotation(bytes(32), boots))
    digests = tuple(n.to_bytes(32, "big") for n in range(RELEASE_DIGESTS_MAX))
    released = release.Release(TIME_MS_MAX, digests, bytes(16))
    names = {"issuer": f"hp:{'c' * 63}", "subject": "d" * 63, "origin": "o" * 255}
    for kind, payload in (
        (Kind.DEVICE_KEY, rotation.encode()),
        (Kind.DECLARATION, released.encode()),
    ):
        raw = sign1.sign(signer, **names, type_text=TYPE_TEXT[kind], payload=payload)
        READERS[kind](sign1.parse(raw).payload)


def test_a_binding_covers_its_start_and_not_its_end() -> None:
    bound = binding.Binding("d", "v", 10, 20, bytes(16))

    assert [bound.covers(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    assert binding.Binding("d", "v", 10, None, bytes(16)).covers(2**50)


def test_only_a_grant_of_everything_allows_segments() -> None:
    limited = grant.decode(PAYLOADS[Kind.GRANT])
    full = grant.decode(
        cbor.encode(
            {k: v for k, v in {**cbor.decode(PAYLOADS[Kind.GRANT]), 7: 2, 8: 1}.items() if k != 6}
        )
    )

    assert not limited.exact_segments
    assert full.exact_segments


def test_a_grant_names_its_vehicles_or_all_of_them() -> None:
    named = grant.decode(PAYLOADS[Kind.GRANT])
    everything = grant.decode(changed(Kind.GRANT, {5: ["*"]}))

    assert named.allows_vehicle("v-5f3a")
    assert not named.allows_vehicle("v-other")
    assert everything.allows_vehicle("v-other")


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_a_type_text_of_its_own(kind: Kind) -> None:
    assert kind_of_type(TYPE_TEXT[kind]) is kind


def test_a_type_of_no_log_record_is_refused() -> None:
    with pytest.raises(StatementRefused, match="wrong-type"):
        kind_of_type("hp-ref")


def test_issuers_name_an_organisation_or_one_of_its_devices() -> None:
    assert parse_issuer(org_issuer("acme")).device is None
    assert parse_issuer(device_issuer("acme", "d-1")).device == "d-1"


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "a" * 64, "a b", "a/b", "a+", "a\n"])
def test_what_is_no_name_makes_no_issuer(name: str) -> None:
    with pytest.raises(StatementRefused):
        org_issuer(name)
