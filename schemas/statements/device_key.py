"""A device key (kind 11): a carrier vouches for a device's public key.

Issuer: the carrier; subject: the device. The record holds the device's proof of possession over
(carrier, device, origin), so that nobody can enter a key that is not theirs. A record that replaces
the device's key before it is a rotation: it lists what the old key signed and may still arrive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.cose import cbor
from schemas.cose.keys import PublicKey
from schemas.errors import malformed
from schemas.limits import (
    BOOT_BYTES,
    DIGEST_BYTES,
    ROTATION_BOOTS_MAX,
    SALT_BYTES,
    SEQ_MAX,
    TIME_MS_MAX,
)
from schemas.names import device_issuer

AGENT_MEASURED, TERMINAL_REPORTED, PLATFORM_REPORTED = 1, 2, 3
"""Assurance levels (DESIGN section 6)."""

_KEYS = (1, 2, 3, 4, 5, 6, 7, 8, 9)
_ROTATION_KEYS = (10, 11)
_NOTE_CHARS_MAX = 256


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that a new one replaces, and the statements of it that may still arrive."""

    replaces: bytes
    """Thumbprint of the old key, 32 bytes."""
    boots: Mapping[bytes, int] = field(default_factory=dict)
    """Last seq, by boot, up to which the old key stays good, however late its statements arrive."""

    def lists(self, boot: bytes, seq: int) -> bool:
        """Whether a statement of this name, signed by the old key, may still come."""
        return seq <= self.boots.get(boot, -1)


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device's name and key; ``note`` says what a reader must know, for example added signals."""

    carrier: str
    device: str
    cose_key: bytes
    proof: bytes
    """The device's signature over ``possession_message``."""
    assurance: int
    note: str
    created_ms: int
    salt: bytes
    rotation: Rotation | None = None
    """None for a device's first key."""

    def encode(self) -> bytes:
        """The payload's bytes."""
        fields = (1, self.carrier, self.device, self.cose_key, self.proof, self.assurance)
        rest = (self.note, self.created_ms, self.salt)
        return cbor.encode({**dict(enumerate((*fields, *rest), start=1)), **self._rotation()})

    def _rotation(self) -> dict[int, object]:
        if self.rotation is None:
            return {}
        boots = [[boot, last] for boot, last in sorted(self.rotation.boots.items())]
        return dict(zip(_ROTATION_KEYS, (self.rotation.replaces, boots), strict=True))


def decode(payload: bytes, origin: str) -> DeviceKey:
    """Read a device key's payload and check its proof for a log; ``StatementRefused`` otherwise."""
    fields = cbor.take_map(cbor.decode(payload), "a device key", _KEYS, _ROTATION_KEYS)
    cbor.take_version(fields[1], "a device key")
    if type(fields[7]) is not str or len(fields[7]) > _NOTE_CHARS_MAX:
        raise malformed(f"the note is not a text of at most {_NOTE_CHARS_MAX} characters")
    key = PublicKey.from_cose_key(cbor.take_bytes(fields[4], "the key"))
    if key.cose_key != fields[4]:
        raise malformed("the key is not the deterministic COSE_Key")
    record = DeviceKey(
        carrier=cbor.take_text(fields[2], "the carrier"),
        device=cbor.take_text(fields[3], "the device"),
        cose_key=key.cose_key,
        proof=cbor.take_bytes(fields[5], "the proof of possession"),
        assurance=cbor.take_uint(fields[6], "the assurance level", PLATFORM_REPORTED),
        note=fields[7],
        created_ms=cbor.take_uint(fields[8], "the time of admission", TIME_MS_MAX),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
        rotation=_take_rotation(fields),
    )
    if record.assurance < AGENT_MEASURED:
        raise malformed("an assurance level that no version knows")
    key.verify(possession_message(record.carrier, record.device, origin), record.proof)
    return record


def possession_message(carrier: str, device: str, origin: str) -> bytes:
    """What a device signs to prove that it holds its key; ``StatementRefused`` for bad names."""
    device_issuer(carrier, device)
    return cbor.encode(["hp-possession-device", carrier, device, origin])


def _take_rotation(fields: Mapping[int, object]) -> Rotation | None:
    if not any(key in fields for key in _ROTATION_KEYS):
        return None
    if not all(key in fields for key in _ROTATION_KEYS):
        raise malformed("a rotation without the key that it replaces, or without its boots")
    replaces = cbor.take_bytes(fields[10], "the thumbprint of the replaced key", DIGEST_BYTES)
    return Rotation(replaces, _take_boots(fields[11]))


def _take_boots(value: object) -> dict[bytes, int]:
    items = cbor.take_list(value, "the boots of a rotation")
    if len(items) > ROTATION_BOOTS_MAX:
        raise malformed(f"a rotation that lists more than {ROTATION_BOOTS_MAX} boots")
    pairs = [cbor.take_list(item, "a boot of a rotation", 2) for item in items]
    boots = {
        cbor.take_bytes(boot, "a boot", BOOT_BYTES): cbor.take_uint(last, "a last seq", SEQ_MAX)
        for boot, last in pairs
    }
    if list(boots) != sorted(boots) or len(boots) != len(pairs):
        raise malformed("the boots of a rotation are not in ascending order, each once")
    return boots
