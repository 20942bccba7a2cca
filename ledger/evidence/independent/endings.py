"""How keys end, from ``docs/evidence.md``: what is left to one that was replaced or revoked."""

from dataclasses import dataclass, field
from typing import Any

from ledger.evidence.independent.canonical import Refused, decoded
from ledger.evidence.independent.statement import GAP, SEGMENT, Signed

_BAD_KEY = "bad-key-record"
_BOOTS_MAX = 2_048
_RELEASED_MAX = 1_024


@dataclass(frozen=True)
class Known:
    """A key's record: its kind, who issued it and about whom, and who signs with the key."""

    kind: int
    issuer: str
    subject: str
    holder: str
    thumbprint: bytes


@dataclass
class Endings:
    """What statements so far say: they come in the order of the log."""

    records: dict[bytes, Known] = field(default_factory=dict)
    revoked: set[tuple[str, bytes]] = field(default_factory=set)
    listed: dict[tuple[str, bytes], list[dict[bytes, int]]] = field(default_factory=dict)
    released: set[tuple[str, bytes]] = field(default_factory=set)

    def check(self, signed: Signed, thumbprint: bytes) -> None:
        """Whether this key may still say this; ``Refused``."""
        key = (signed.issuer, thumbprint)
        if key in self.revoked:
            if (signed.issuer, signed.digest) not in self.released:
                raise Refused("revoked-key", f"statement {signed.index} is of a revoked key")
        elif signed.kind in (SEGMENT, GAP):
            for last_of in self.listed.get(key, []):
                boot, seq = _name(signed)
                if boot not in last_of or seq > last_of[boot]:
                    detail = f"statement {signed.index} is of a replaced key, and not listed"
                    raise Refused("rotated-key", detail)

    def revoke(self, signed: Signed, kind: int, digest: bytes) -> None:
        """A revocation whose signature was right; ``Refused``."""
        known = self.records.get(digest)
        if known is None or (known.kind, known.issuer) != (kind, signed.issuer):
            raise Refused(_BAD_KEY, f"statement {signed.index} revokes no key of its issuer here")
        if known.subject != signed.subject:
            raise Refused("wrong-subject", f"statement {signed.index} is of another holder")
        self.revoked.add((known.holder, known.thumbprint))

    def release(self, signed: Signed, digests: list[Any]) -> None:
        """A release whose signature was right; ``Refused``."""
        whole = all(type(digest) is bytes and len(digest) == 32 for digest in digests)
        if not whole or not 0 < len(digests) <= _RELEASED_MAX or digests != sorted(set(digests)):
            raise Refused("malformed-statement", f"statement {signed.index} is no release")
        holder = f"{signed.issuer}/{signed.subject}"
        self.released |= {(holder, digest) for digest in digests}


def read_boots(items: list[Any], what: str) -> dict[bytes, int]:
    """The last seq of each boot that a rotation lists; ``Refused(bad-key-record)``."""
    last_of: dict[bytes, int] = {}
    before = b""
    for item in items:
        if type(item) is not list or [type(part) for part in item] != [bytes, int]:
            raise Refused(_BAD_KEY, f"{what} lists something that is no boot")
        if len(item[0]) != 8 or not 0 <= item[1] < 1 << 63 or (last_of and item[0] <= before):
            raise Refused(_BAD_KEY, f"{what} does not list boots in order, each once")
        before = item[0]
        last_of[before] = item[1]
    if len(items) > _BOOTS_MAX:
        raise Refused(_BAD_KEY, f"{what} lists too many boots")
    return last_of


def _name(signed: Signed) -> tuple[bytes, int]:
    code, what = "rotated-key", f"statement {signed.index}, which has to be listed,"
    payload = decoded(signed.payload, code, what)
    named = payload if type(payload) is dict else {}
    if type(named.get(2)) is not bytes or type(named.get(3)) is not int:
        raise Refused(code, f"{what} has no boot and seq")
    return named[2], named[3]
