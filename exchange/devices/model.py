"""What a carrier signs to admit a device: its key record and its binding to a vehicle. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exchange.errors import ExchangeRefusal
from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import Statement, parse, verify
from schemas.errors import Reason, StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import org_issuer
from schemas.statements import binding, device_key
from schemas.statements.binding import Binding
from schemas.statements.device_key import DeviceKey
from schemas.statements.grant import ANY_VEHICLE


class DeviceConflict(ExchangeRefusal):
    """The device has another key, or the key has been another device's."""


@dataclass(frozen=True, slots=True)
class DeviceAdmission:
    """Two statements of one carrier that belong together, each checked."""

    key_statement: Statement
    key: DeviceKey
    public: PublicKey
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
    key_statement = signed_by(key_raw, Kind.DEVICE_KEY, carrier, origin, carrier_keys)
    key = device_key.decode(key_statement.payload, origin)
    _agree(key.carrier == carrier, "the device record names another carrier")
    _agree(key_statement.header.subject == key.device, "the device record's subject differs")
    check_storable(key.note)
    binding_statement = signed_by(binding_raw, Kind.BINDING, carrier, origin, carrier_keys)
    bound = binding.decode(binding_statement.payload)
    _agree(bound.device == key.device, "the binding names another device")
    _agree(binding_statement.header.subject == bound.vehicle, "the binding's subject differs")
    _agree(bound.vehicle != ANY_VEHICLE, "* stands for every vehicle and names none")
    return DeviceAdmission(
        key_statement, key, PublicKey.from_cose_key(key.cose_key), binding_statement, bound
    )


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
