"""Statements: frame, header and the four suites; every other form is refused with its reason."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cose import cbor, sign1
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.cose.suites import SUITES
from schemas.errors import Reason, StatementRefused
from schemas.limits import STATEMENT_BYTES_MAX

SIGNERS = {alg: SoftwareSigner.generate(alg) for alg in SUITES}
SIGNER = SIGNERS[-7]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

HEADER = {
    1: -7,
    4: SIGNER.public.kid,
    15: {1: "hp:carrier-a/device-1", 2: "v-1", 3: "example.org/log"},
    16: "hp-seg",
}


def signed(signer: SoftwareSigner = SIGNER, payload: bytes = b"payload") -> bytes:
    return sign1.sign(
        signer,
        issuer="hp:carrier-a/device-1",
        subject="v-1",
        origin="example.org/log",
        type_text="hp-seg",
        payload=payload,
    )


def framed(parts: object, tag: int = 18) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(tag, parts))


def with_header(header: dict[int, object]) -> bytes:
    protected = cbor.encode(header)
    signature = SIGNER.sign(sign1.to_be_signed(protected, b"payload"))
    return framed([protected, {}, b"payload", signature])


def reason_of(raw: bytes) -> Reason:
    with pytest.raises(StatementRefused) as refused:
        sign1.verify(sign1.parse(raw), SIGNER.public)
    return refused.value.reason


@pytest.mark.parametrize("alg", SUITES, ids=lambda alg: SUITES[alg].name)
def test_what_a_suite_signs_its_key_verifies_and_no_other_key_does(alg: int) -> None:
    statement = sign1.parse(signed(SIGNERS[alg]))

    sign1.verify(statement, SIGNERS[alg].public)
    with pytest.raises(StatementRefused):
        sign1.verify(statement, SoftwareSigner.generate(alg).public)


@pytest.mark.parametrize("alg", SUITES, ids=lambda alg: SUITES[alg].name)
def test_a_key_survives_its_cose_form_and_its_pem(alg: int) -> None:
    public = SIGNERS[alg].public

    assert PublicKey.from_cose_key(public.cose_key) == public
    assert SoftwareSigner.from_pem(SIGNERS[alg].to_pem()).public == public


def test_a_header_reads_to_what_was_signed() -> None:
    header = sign1.parse(signed()).header

    assert header == sign1.Header(
        alg=-7,
        kid=SIGNER.public.thumbprint[:8],
        issuer="hp:carrier-a/device-1",
        subject="v-1",
        origin="example.org/log",
        type="hp-seg",
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed"),
        (signed() + b"\x00", "malformed"),
        (framed([b"", {}, b"", b""], tag=17), "malformed"),
        (framed([b"", {}, b""]), "malformed"),
        (framed([b"", {1: 1}, b"", b""]), "malformed"),
        (framed([b"", [], b"", b""]), "malformed"),
        (framed([b"", {}, None, b""]), "malformed"),
        (with_header({**HEADER, 3: 0}), "malformed"),
        (with_header({k: v for k, v in HEADER.items() if k != 16}), "malformed"),
        (with_header({**HEADER, 1: -36}), "unsupported"),
        (with_header({**HEADER, 4: bytes(7)}), "malformed"),
        (with_header({**HEADER, 4: bytes(8)}), "wrong-key"),
        (with_header({**HEADER, 15: {1: "hp:a", 2: "v"}}), "malformed"),
        (with_header({**HEADER, 15: {1: "acme", 2: "v", 3: "o"}}), "malformed"),
        (with_header({**HEADER, 15: {1: "hp:A/b", 2: "v", 3: "o"}}), "malformed"),
        (with_header({**HEADER, 15: {1: "hp:a/b/c", 2: "v", 3: "o"}}), "malformed"),
        (with_header({**HEADER, 15: {1: "hp:a/b", 2: "", 3: "o"}}), "malformed"),
        (with_header({**HEADER, 16: 1}), "malformed"),
        (with_header({**HEADER, 15: {1: "hp:a/b", 2: "v" * 129, 3: "o"}}), "malformed"),
        (bytes(STATEMENT_BYTES_MAX + 1), "too-large"),
    ],
)
def test_any_other_frame_or_header_is_refused(raw: bytes, reason: str) -> None:
    assert reason_of(raw) == reason


def test_a_header_too_large_is_refused() -> None:
    claims = {1: "hp:a/b", 2: "v", 3: "o" * 2_000}

    assert reason_of(with_header({**HEADER, 15: claims})) == Reason.TOO_LARGE


def test_the_twin_signature_with_high_s_is_refused() -> None:
    statement = sign1.parse(signed())
    s = int.from_bytes(statement.signature[32:], "big")
    twin = statement.signature[:32] + (P256_ORDER - s).to_bytes(32, "big")

    with pytest.raises(StatementRefused, match="bad-signature"):
        sign1.verify(statement._replace(signature=twin), SIGNER.public)


@given(st.data())
def test_no_changed_byte_verifies(data: st.DataObject) -> None:
    raw = bytearray(signed())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))

    with pytest.raises(StatementRefused):
        sign1.verify(sign1.parse(bytes(raw)), SIGNER.public)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes) -> None:
    with pytest.raises(StatementRefused):
        sign1.parse(data)


def test_a_statement_past_the_limit_is_not_signed() -> None:
    with pytest.raises(StatementRefused, match="too-large"):
        signed(payload=bytes(STATEMENT_BYTES_MAX))


@pytest.mark.parametrize(
    "members",
    [
        {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)},
        {1: 2, 3: -7, -1: 2, -2: bytes(32), -3: bytes(32)},
        {1: 2, 3: -7, -1: 1, -2: bytes(31), -3: bytes(32)},
        {1: 1, 3: -8, -1: 6, -2: bytes(31)},
        {1: 1, 3: -8, -1: 4, -2: bytes(32)},
        {1: 7, 3: -48, -1: bytes(10)},
        {1: 2, 3: -7},
        {1: 3, 3: -257},
        {1: 2},
    ],
)
def test_a_cose_key_that_holds_no_valid_key_is_refused(members: dict[int, object]) -> None:
    with pytest.raises(StatementRefused):
        PublicKey.from_cose_key(cbor.encode(members))


def test_a_pem_without_a_private_key_is_named_so() -> None:
    with pytest.raises(ValueError, match=r"(?i)pem|private"):
        SoftwareSigner.from_pem(b"not a key")
