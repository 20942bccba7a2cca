"""What a carrier signs of its devices: key records, bindings to vehicles, revocations. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exchange.errors import ExchangeRefusal
from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import Statement, parse, verify
from schemas.errors import Reason, StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import org_issuer
from schemas.statements import binding, device_key, revocation
from schemas.statements.binding import Binding
from schemas.statements.device_key import DeviceKey
from schemas.statements.grant import ANY_VEHICLE
from schemas.statements.revocation import Revocation


class DeviceConflict(ExchangeRefusal):
    """The device has another key, or the key has been another device's."""


class DeviceNotFound(ExchangeRefusal):
    """The caller has no such device, or the device no such key."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A device key's record as its carrier signed it, checked."""

    statement: Statement
    key: DeviceKey
    public: PublicKey


@dataclass(frozen=True, slots=True)
class DeviceAdmission:
    """Two statements of one carrier that belong together, each checked."""

    record: KeyRecord
    binding_statement: Statement
    binding: Binding


def read_admission(
    key_raw: bytes,
    binding_raw: bytes,
    *,
    carrier: str,
    origin: str,
    carrier_keys: Sequence[PublicKey],
) -> DeviceAdmission:
    """Check both statements against the carrier's admitted keys; ``StatementRefused`` otherwise."""
    record = read_key_record(key_raw, carrier=carrier, origin=origin, carrier_keys=carrier_keys)
    _agree(record.key.rotation is None, "a key that replaces another is a rotation")
    binding_statement = signed_by(binding_raw, Kind.BINDING, carrier, origin, carrier_keys)
    bound = binding.decode(binding_statement.payload)
    _agree(bound.device == record.key.device, "the binding names another device")
    _agree(binding_statement.header.subject == bound.vehicle, "the binding's subject differs")
    _agree(bound.vehicle != ANY_VEHICLE, "* stands for every vehicle and names none")
    return DeviceAdmission(record, binding_statement, bound)


def read_key_record(
    raw: bytes, *, carrier: str, origin: str, carrier_keys: Sequence[PublicKey]
) -> KeyRecord:
    """A device key's record, signed by its carrier; ``StatementRefused`` otherwise."""
    statement = signed_by(raw, Kind.DEVICE_KEY, carrier, origin, carrier_keys)
    key = device_key.decode(statement.payload, origin)
    _agree(key.carrier == carrier, "the device record names another carrier")
    _agree(statement.header.subject == key.device, "the device record's subject differs")
    check_storable(key.note)
    return KeyRecord(statement, key, PublicKey.from_cose_key(key.cose_key))


def read_key_revocation(
    raw: bytes, *, carrier: str, device: str, origin: str, carrier_keys: Sequence[PublicKey]
) -> tuple[Statement, Revocation]:
    """A revocation of a key of this device, by its carrier; ``StatementRefused`` otherwise."""
    statement = signed_by(raw, Kind.REVOCATION, carrier, origin, carrier_keys)
    revoked = revocation.decode(statement.payload)
    _agree(revoked.target_kind is Kind.DEVICE_KEY, "the revocation is of no device key")
    _agree(statement.header.subject == device, "the revocation's subject is another device")
    return statement, revoked


def signed_by(
    raw: bytes, kind: Kind, organisation: str, origin: str, keys: Sequence[PublicKey]
) -> Statement:
    """A statement of this kind for this log, signed by one of the organisation's keys.

    Raises ``StatementRefused``: malformed, wrong-type, wrong-origin, unknown-issuer, unknown-key,
    bad-signature.
    """
    statement = parse(raw)
    header = statement.header
    if header.type != TYPE_TEXT[kind]:
        raise StatementRefused(
            Reason.WRONG_TYPE, f"expected a statement of type {TYPE_TEXT[kind]}, not {header.type}"
        )
    if header.origin != origin:
        raise StatementRefused(
            Reason.WRONG_ORIGIN, f"signed for the log {header.origin}; this one is {origin}"
        )
    if header.issuer != org_issuer(organisation):
        raise StatementRefused(
            Reason.UNKNOWN_ISSUER, f"issued by {header.issuer}, sent by hp:{organisation}"
        )
    check_storable(header.subject)
    named = [key for key in keys if key.kid == header.kid and key.alg == header.alg]
    if not named:
        raise StatementRefused(
            Reason.UNKNOWN_KEY, "signed with a key that the operator has not admitted"
        )
    for key in named[:-1]:
        try:
            verify(statement, key)
        except StatementRefused:
            continue
        return statement
    verify(statement, named[-1])
    return statement


def check_storable(*texts: str) -> None:
    """``StatementRefused(malformed)`` for a text with NUL, which no database column holds."""
    if any("\x00" in text for text in texts):
        raise StatementRefused(Reason.MALFORMED, "a text with a NUL character")


def _agree(agreed: bool, detail: str) -> None:
    if not agreed:
        raise StatementRefused(Reason.MALFORMED, detail)
