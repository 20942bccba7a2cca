"""An organisation key (kind 12): the exchange admits an organisation, its role and its public key.

Issuer: the exchange's organisation; subject: the organisation's name. The exchange's own record
has the role ``operator`` and is signed by the key that it holds.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.cose import cbor
from schemas.cose.keys import PublicKey
from schemas.errors import malformed
from schemas.limits import SALT_BYTES, TIME_MS_MAX
from schemas.names import NAME_PATTERN, is_name

_KEYS = (1, 2, 3, 4, 5, 6, 9)


class Role(StrEnum):
    """What an organisation is to the exchange."""

    OPERATOR = "operator"
    CARRIER = "carrier"
    FREIGHT = "freight"
    SETTLEMENT = "settlement"
    INSURER = "insurer"
    BANK = "bank"
    REGULATOR = "regulator"


@dataclass(frozen=True, slots=True)
class OrgKey:
    """An organisation's name, role and key, with its proof that it holds the private one."""

    name: str
    role: Role
    cose_key: bytes
    proof: bytes
    """The organisation's signature over ``possession_message``."""
    created_ms: int
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        return cbor.encode(
            {
                1: 1,
                2: self.name,
                3: str(self.role),
                4: self.cose_key,
                5: self.proof,
                6: self.created_ms,
                9: self.salt,
            }
        )


def decode(payload: bytes) -> OrgKey:
    """Read an organisation key's payload and check its proof; ``StatementRefused`` otherwise."""
    fields = cbor.take_map(cbor.decode(payload), "an organisation key", _KEYS)
    cbor.take_version(fields[1], "an organisation key")
    key = PublicKey.from_cose_key(cbor.take_bytes(fields[4], "the key"))
    record = OrgKey(
        name=_take_name(fields[2]),
        role=_take_role(fields[3]),
        cose_key=key.cose_key,
        proof=cbor.take_bytes(fields[5], "the proof of possession"),
        created_ms=cbor.take_uint(fields[6], "the time of admission", TIME_MS_MAX),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
    if key.cose_key != fields[4]:
        raise malformed("the key is not the deterministic COSE_Key")
    key.verify(possession_message(key.cose_key), record.proof)
    return record


def possession_message(cose_key: bytes) -> bytes:
    """What an organisation signs with its new key to prove that it holds it."""
    return cbor.encode(["hp-possession-org", cose_key])


def _take_name(value: object) -> str:
    name = cbor.take_text(value, "the name of an organisation")
    if not is_name(name):
        raise malformed(f"the name of an organisation does not match {NAME_PATTERN}")
    return name


def _take_role(value: object) -> Role:
    text = cbor.take_text(value, "the role")
    if text not in {role.value for role in Role}:
        raise malformed("a role that no version knows")
    return Role(text)
