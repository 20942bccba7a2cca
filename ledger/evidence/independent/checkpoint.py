"""C2SP signed notes, checkpoints and policies from their texts, as far as a verifier needs them."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.evidence.independent.canonical import Refused
from ledger.evidence.independent.keys import ed25519_key, ed25519_verifies
from ledger.evidence.independent.quorum import ML_DSA_44, NoteKey, Quorum, cosigned, time_of

_CODE = "bad-checkpoint"
_DASH = "—".encode()


@dataclass
class Trust:
    """What a policy says: log keys, the quorum, pins by issuer."""

    logs: list[NoteKey] = field(default_factory=list)
    quorum: Quorum = field(default_factory=Quorum)
    pins: dict[str, set[bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """What a checkpoint says, before its signature is checked."""

    origin: str
    size: int
    root: bytes
    text: bytes
    lines: list[tuple[str, bytes, bytes]]
    """Key name, key id, signature."""


def read_policy(text: str) -> Trust:
    """Logs, quorum and pins of a policy; ``Refused(bad-policy)``."""
    trust = Trust()
    for line in text.split("\n"):
        words = line.split()
        if words[:2] == ["#haulproof", "key"] and len(words) == 4:
            trust.pins.setdefault(words[2], set()).add(_hex(words[3]))
        elif words[:1] == ["log"] and len(words) in (2, 3):
            trust.logs.append(_log_key(words[1]))
        elif words[:1] == ["witness"] and len(words) in (3, 4):
            trust.quorum.witnesses[words[1]] = _witness_key(words[2])
        elif words[:1] == ["group"] and len(words) > 3:
            trust.quorum.add_group(words[1], words[2], words[3:])
        elif words[:1] == ["quorum"] and len(words) == 2:
            trust.quorum.name = words[1]
        elif words and not words[0].startswith("#"):
            raise Refused("bad-policy", f"a line of the policy cannot be read: {words[0]}")
    trust.quorum.check_named()
    return trust


def read_checkpoint(note: bytes) -> Claim:
    """The claim of a note; ``Refused(bad-checkpoint)``."""
    cut = note.rfind(b"\n\n")
    if cut < 0 or not note.endswith(b"\n") or len(note) == cut + 2:
        raise Refused(_CODE, "the note has no text or no signature")
    if re.search(rb"[\x00-\x09\x0b-\x1f]", note):
        raise Refused(_CODE, "the note holds control characters")
    text = note[: cut + 1]
    lines = [_signature_line(line) for line in note[cut + 2 : -1].split(b"\n")]
    parts = text.split(b"\n")
    if len(parts) != 4 or not parts[0] or not re.fullmatch(rb"0|[1-9][0-9]{0,18}", parts[1]):
        raise Refused(_CODE, "a checkpoint is three lines: origin, size, root")
    root = _base64(parts[2])
    size = int(parts[1])
    if len(root) != 32 or size >= 1 << 63:
        raise Refused(_CODE, "the size or the root of the checkpoint is wrong")
    return Claim(_text(parts[0]), size, root, text, lines)


def check_log_key(claim: Claim, trust: Trust) -> bool:
    """Check that a trusted key of the log signed the claim; ``Refused``.

    Whether an ML-DSA-44 signature, which cannot be checked here, was among those of trusted keys.
    """
    if not trust.logs:
        found = ", ".join(f"{name}+{key_id.hex()}" for name, key_id, _ in claim.lines)
        raise Refused("no-trusted-log-key", f"no log key is trusted; the file names {found}")
    checked = on_trust = False
    for key in trust.logs:
        for name, key_id, signature in claim.lines:
            if (key.name, key.key_id) != (name, key_id) or name != claim.origin:
                continue
            _check_log_line(key, claim.text, signature)
            checked = True
            on_trust |= key.type == ML_DSA_44
    if not checked:
        raise Refused("wrong-log-key", f"no trusted key signed the checkpoint of {claim.origin}")
    return on_trust


def check_quorum(claim: Claim, trust: Trust, refuse: Callable[[Refused], None]) -> bool:
    """Check every cosignature of a known witness, and that the quorum is met.

    ``refuse`` hears each rule that is broken. Whether an ML-DSA-44 cosignature, which cannot be
    checked here, was among those counted.
    """
    counted: set[str] = set()
    on_trust = False
    for name, key in trust.quorum.witnesses.items():
        try:
            found, unchecked = cosigned(key, claim.text, claim.lines)
        except Refused as refused:
            refuse(refused)
            continue
        if found:
            counted.add(name)
        on_trust |= unchecked
    if not trust.quorum.met_by(counted):
        refuse(Refused("quorum-not-met", "too few witnesses of the policy have cosigned"))
    return on_trust


def _signature_line(line: bytes) -> tuple[str, bytes, bytes]:
    words = line.split(b" ")
    if len(words) != 3 or words[0] != _DASH or not words[1] or b"+" in words[1]:
        raise Refused(_CODE, "a signature line is a dash, a name and base64")
    name = _text(words[1])
    if any(character.isspace() for character in name):
        raise Refused(_CODE, "a key name has no spaces")
    data = _base64(words[2])
    if len(data) < 5:
        raise Refused(_CODE, "a signature line without a signature")
    return name, data[:4], data[4:]


def _check_log_line(key: NoteKey, text: bytes, signature: bytes) -> None:
    code = "bad-checkpoint-signature"
    if key.type == ML_DSA_44:
        try:
            time_of(key, text, signature)
        except Refused as refused:
            raise Refused(code, refused.detail) from None
    elif not ed25519_verifies(ed25519_key(key.public), text, signature):
        raise Refused(code, f"{key.name} did not sign the checkpoint")


def _log_key(text: str) -> NoteKey:
    name, key_id, data = _vkey(text)
    if len(data) - 1 != {1: 32, ML_DSA_44: 1_312}.get(data[0]):
        raise Refused("bad-policy", "a log's key is no whole Ed25519 or ML-DSA-44 key")
    return NoteKey(name, key_id, data[0], data[1:])


def _witness_key(text: str) -> NoteKey:
    name, key_id, data = _vkey(text)
    if len(data) - 1 != {4: 32, ML_DSA_44: 1_312}.get(data[0], len(data) - 1):
        raise Refused("bad-policy", "a witness's key is not as long as its type wants")
    return NoteKey(name, key_id, data[0], data[1:])


def _vkey(text: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, encoded_key = rest.partition("+")
    data = _base64(encoded_key.encode())
    if not data or sha256(name.encode() + b"\n" + data).hexdigest()[:8] != key_id:
        raise Refused("bad-policy", "a key's id is not that of its bytes")
    return name, bytes.fromhex(key_id), data


def _base64(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(_CODE, "not base64") from None
    if base64.b64encode(data) != text:
        raise Refused(_CODE, "base64 in another form than the one")
    return data


def _hex(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise Refused("bad-policy", "a pin is not 64 hex digits")
    return bytes.fromhex(text)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused(_CODE, "the note is not UTF-8") from None
