"""The second implementation: the same files pass, the same forgeries do not."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.evidence.independent import independent_verify
from tests.ledger.evidence.forgeries import FORGERIES, Maker
from tests.ledger.evidence.world import Drive, Keys, drive, ml_dsa_44

_DRIVE = drive()
_POLICY = _DRIVE.world.policy_text().decode()
_FILES = {
    "trip": _DRIVE.trip_file(),
    "full": _DRIVE.full_file(),
    "segments": _DRIVE.segments_file(),
}


@pytest.mark.parametrize("kind", _FILES)
def test_an_honest_file_verifies(kind: str) -> None:
    result = independent_verify(_FILES[kind], _POLICY)

    assert result["verified"], result
    assert result["unchecked_suites"] == []
    assert result["kind"] == kind
    assert (result["log_size"], result["log_origin"]) == (19, "log.example/haulproof-test")


@pytest.mark.parametrize("maker", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_refused_for_the_same_reason(maker: Maker) -> None:
    forgery = maker()

    result = independent_verify(forgery.data, forgery.policy.decode())

    assert not result["verified"]
    assert forgery.code in result["reasons"], result


def test_a_suite_that_cannot_be_checked_is_named() -> None:
    mixed = drive(Keys(exchange=ml_dsa_44(5)))

    result = independent_verify(mixed.full_file(), mixed.world.policy_text().decode())

    assert result["reasons"] == []
    assert result["unchecked_suites"] == ["ML-DSA-44"]


def _with_checksum(data: bytes) -> bytes:
    return data[:-32] + sha256(data[:-34]).digest()


def _noticed(data: bytes) -> bool:
    return bool(independent_verify(data, _POLICY)["reasons"])


@settings(max_examples=150)
@given(st.integers(0, len(_FILES["trip"]) - 33), st.integers(1, 255))
def test_no_changed_byte_survives_a_new_checksum(place: int, xor: int) -> None:
    data = bytearray(_FILES["trip"])
    data[place] ^= xor

    assert _noticed(bytes(data))
    assert _noticed(_with_checksum(bytes(data)))


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(data: bytes) -> None:
    for hostile in (data, _with_checksum(_FILES["trip"][:13] + data + b"\x58\x20" + bytes(32))):
        assert not independent_verify(hostile, _POLICY)["readable"]


def test_pins_are_held() -> None:
    good = _pin(_DRIVE, _DRIVE.world.keys.exchange.public.thumbprint.hex())

    assert independent_verify(_FILES["trip"], good)["verified"]
    assert not independent_verify(_FILES["trip"], _pin(_DRIVE, "00" * 32))["verified"]


def _pin(honest: Drive, thumbprint: str) -> str:
    return honest.world.policy_text(f"#haulproof key hp:exchange {thumbprint}").decode()


@pytest.mark.parametrize(
    "policy", ["nonsense", "log x", "log a+00000000+AAAA", "#haulproof key hp:a 12"]
)
def test_a_policy_that_cannot_be_read_verifies_nothing(policy: str) -> None:
    assert independent_verify(_FILES["trip"], policy)["reasons"] == ["bad-policy"]


def test_it_shares_no_code_with_the_first() -> None:
    """Imported alone, it brings none of our modules but itself, and no ``cryptography``."""
    program = (
        "import sys, ledger.evidence.independent\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in "
        "('ledger', 'schemas', 'exchange', 'edge_agent', 'cryptography')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    own = {"ledger", "ledger.evidence"}
    assert [name for name in found if not name.startswith("ledger.evidence.independent")] == sorted(
        own
    )
