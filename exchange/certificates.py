"""The exchange's own small certificate authority and the server certificate it issues."""

import ipaddress
from collections.abc import Collection
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=20 * 365)
SERVER_LIFETIME = timedelta(days=397)
RENEWAL_MARGIN = timedelta(days=30)
_BACKDATED = timedelta(hours=1)

PrivateKey = ec.EllipticCurvePrivateKey


def make_ca(key: PrivateKey, common_name: str, now: datetime, serial: int) -> bytes:
    """A self-signed CA certificate (PEM) for the key, good for 20 years from ``now``."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    usage = _key_usage(signs_certificates=True)
    certificate = (
        _builder(key, name, name, now, CA_LIFETIME, serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def make_server_certificate(
    key: PrivateKey,
    ca_key: PrivateKey,
    ca_pem: bytes,
    names: Collection[str],
    now: datetime,
    serial: int,
) -> bytes:
    """A server certificate (PEM) for DNS names and addresses, good for 397 days from ``now``."""
    ca = x509.load_pem_x509_certificate(ca_pem)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "haulproof exchange")])
    certificate = (
        _builder(key, subject, ca.subject, now, SERVER_LIFETIME, serial)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in sorted(set(names))]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def ca_is_good(pem: bytes, key: PrivateKey, now: datetime) -> bool:
    """Whether a CA certificate fits its key and is not near its end."""
    certificate = _read(pem)
    return certificate is not None and _fits(certificate, key) and _fresh(certificate, now)


def server_certificate_is_good(
    pem: bytes, key: PrivateKey, ca_pem: bytes, names: Collection[str], now: datetime
) -> bool:
    """Whether a server certificate fits its key, its CA and the names, and is not near its end."""
    certificate, ca = _read(pem), _read(ca_pem)
    if certificate is None or ca is None or not _fits(certificate, key):
        return False
    try:
        certificate.verify_directly_issued_by(ca)
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:
        return False
    return set(held) == {_general_name(name) for name in names} and _fresh(certificate, now)


def _builder(
    key: PrivateKey,
    subject: x509.Name,
    issuer: x509.Name,
    now: datetime,
    lifetime: timedelta,
    serial: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def _fits(certificate: x509.Certificate, key: PrivateKey) -> bool:
    return certificate.public_key() == key.public_key()


def _fresh(certificate: x509.Certificate, now: datetime) -> bool:
    return (
        certificate.not_valid_before_utc <= now
        and now + RENEWAL_MARGIN < certificate.not_valid_after_utc
    )
