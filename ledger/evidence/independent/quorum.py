"""Cosignatures (C2SP tlog-cosignature) and the quorum of a policy (C2SP tlog-policy)."""

from dataclasses import dataclass, field

import ecdsa

from ledger.evidence.independent.canonical import Refused
from ledger.evidence.independent.keys import ed25519_key, ed25519_verifies

ML_DSA_44 = 6
_ED25519 = 4
_SIGNATURE_BYTES = {_ED25519: 64, ML_DSA_44: 2_420}
_CODE = "bad-cosignature"


@dataclass(frozen=True)
class NoteKey:
    """A log's or a witness's key: its name and id in signature lines, its type and its bytes."""

    name: str
    key_id: bytes
    type: int
    public: bytes


@dataclass
class Quorum:
    """Who has to cosign. A group has members and how many of them it takes."""

    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, tuple[list[str], int]] = field(default_factory=dict)
    name: str = "none"

    def add_group(self, name: str, threshold: str, members: list[str]) -> None:
        """Read a ``group`` line; ``Refused(bad-policy)``."""
        unknown = [one for one in members if one not in self.witnesses and one not in self.groups]
        counts = {"any": "1", "all": str(len(members))}
        text = counts.get(threshold, threshold)
        if (
            unknown
            or not text.isascii()
            or not text.isdigit()
            or not 1 <= int(text) <= len(members)
        ):
            raise Refused("bad-policy", f"the group {name} cannot be read")
        self.groups[name] = members, int(text)

    def check_named(self) -> None:
        """The quorum is a witness, a group or none; ``Refused(bad-policy)``."""
        if self.name != "none" and self.name not in self.witnesses and self.name not in self.groups:
            raise Refused("bad-policy", "the quorum is neither a witness nor a group")

    def met_by(self, cosigned: set[str]) -> bool:
        """Whether these witnesses are enough."""
        return self.name == "none" or self._met(self.name, cosigned)

    def _met(self, name: str, cosigned: set[str]) -> bool:
        if name not in self.groups:
            return name in cosigned
        members, threshold = self.groups[name]
        return sum(self._met(member, cosigned) for member in members) >= threshold


def cosigned(key: NoteKey, text: bytes, lines: list[tuple[str, bytes, bytes]]) -> tuple[bool, bool]:
    """Whether the key has cosigned a checkpoint's text, and whether that had to be taken on trust.

    The lines are of its note. ``Refused`` when one of this key is wrong. ML-DSA-44 cannot be
    checked here.
    """
    mine = [line for name, key_id, line in lines if (name, key_id) == (key.name, key.key_id)]
    times = [time_of(key, text, line) for line in mine]
    if mine and not max(times):
        raise Refused(_CODE, f"a cosignature of {key.name} has no time")
    return bool(mine), bool(mine) and key.type == ML_DSA_44


def time_of(key: NoteKey, text: bytes, line: bytes) -> int:
    """When a line of this key says that it was made, POSIX; ``Refused`` when the line is wrong.

    Of ML-DSA-44, only the form can be wrong here.
    """
    time, signature = int.from_bytes(line[:8], "big"), line[8:]
    if len(signature) != _SIGNATURE_BYTES.get(key.type) or time >= 1 << 63:
        raise Refused(_CODE, f"a cosignature of {key.name} is not in its form")
    if key.type == _ED25519:
        message = b"cosignature/v1\ntime %d\n" % time + text
        if not _verifies(key.public, message, signature):
            raise Refused(_CODE, f"a cosignature of {key.name} does not verify")
    return time


def _verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return ed25519_verifies(ed25519_key(public), message, signature)
    except (ecdsa.MalformedPointError, ValueError, AssertionError):
        return False
