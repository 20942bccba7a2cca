"""The examples of RFC 9964 (ML-DSA in COSE), through the suites that statements use."""

import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import to_be_signed
from schemas.errors import Reason, StatementRefused
from tests.ledger.trees import VECTORS

_FOLDER = VECTORS / "ledger" / "cose-ml-dsa"
_KEYS: dict[int, Any] = {
    44: mldsa.MLDSA44PublicKey,
    65: mldsa.MLDSA65PublicKey,
    87: mldsa.MLDSA87PublicKey,
}


def example(strength: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"ML_DSA_{strength}.cose.json").read_text())
    return found


def public_bytes(strength: int) -> bytes:
    return bytes.fromhex(example(strength)["raw_public_key"])


@pytest.mark.parametrize("strength", [44, 65])
def test_published_signature_verifies_over_the_published_bytes(strength: int) -> None:
    published = example(strength)
    protected, _, payload, signature = cbor2.loads(bytes.fromhex(published["sign1"])).value
    key = PublicKey.of(_KEYS[strength].from_public_bytes(public_bytes(strength)))
    message = to_be_signed(protected, payload)

    assert message.hex() == published["raw_to_be_signed"]
    key.verify(message, signature)
    with pytest.raises(StatementRefused):
        key.verify(message + b"\x00", signature)


@pytest.mark.parametrize("strength", [44, 65])
def test_published_key_has_its_published_thumbprint(strength: int) -> None:
    key = PublicKey.of(_KEYS[strength].from_public_bytes(public_bytes(strength)))
    members = cbor2.loads(bytes.fromhex(example(strength)["key"]))

    assert key.thumbprint == members[2]
    assert key.alg == members[3]


def test_ml_dsa_87_is_no_suite_of_statements() -> None:
    with pytest.raises(StatementRefused) as refused:
        PublicKey.of(_KEYS[87].from_public_bytes(public_bytes(87)))

    assert refused.value.reason is Reason.UNSUPPORTED
