"""The exchange's certificates, judged by a verifier that is not ours."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from exchange.certificates import (
    ca_is_good,
    make_ca,
    make_server_certificate,
    server_certificate_is_good,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = {"localhost", "127.0.0.1", "ex.example"}


@pytest.fixture(scope="module")
def keys() -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
    return ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


Keys = tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]


@pytest.mark.parametrize("subject", ["localhost", "ex.example", "127.0.0.1"])
def test_a_strict_verifier_accepts_the_server_under_each_of_its_names(
    keys: Keys, subject: str
) -> None:
    ca = make_ca(keys[0], "haulproof test", NOW, 1)
    server = make_server_certificate(keys[1], keys[0], ca, NAMES, NOW, 2)
    store = verification.Store([x509.load_pem_x509_certificate(ca)])
    named: x509.GeneralName
    named = x509.IPAddress(ip_address(subject)) if subject[0] == "1" else x509.DNSName(subject)
    verifier = verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(named)
    assert len(verifier.verify(x509.load_pem_x509_certificate(server), [])) == 2


def test_a_certificate_is_good_until_a_month_before_its_end(keys: Keys) -> None:
    ca = make_ca(keys[0], "haulproof test", NOW, 1)
    server = make_server_certificate(keys[1], keys[0], ca, NAMES, NOW, 2)
    good = [
        server_certificate_is_good(server, keys[1], ca, NAMES, NOW + timedelta(days=days))
        for days in (0, 366, 368, 400)
    ]
    assert good == [True, True, False, False]
    assert ca_is_good(ca, keys[0], NOW + timedelta(days=19 * 365))
    assert not ca_is_good(ca, keys[0], NOW + timedelta(days=20 * 365))


def test_a_certificate_of_other_names_another_ca_or_another_key_is_not_good(keys: Keys) -> None:
    ca = make_ca(keys[0], "haulproof test", NOW, 1)
    other_ca = make_ca(keys[1], "haulproof test", NOW, 3)
    server = make_server_certificate(keys[1], keys[0], ca, NAMES, NOW, 2)
    assert not server_certificate_is_good(server, keys[1], ca, {"localhost"}, NOW)
    assert not server_certificate_is_good(server, keys[1], other_ca, NAMES, NOW)
    assert not server_certificate_is_good(server, keys[0], ca, NAMES, NOW)
    assert not server_certificate_is_good(b"", keys[1], ca, NAMES, NOW)
    assert not ca_is_good(b"no PEM", keys[0], NOW)
