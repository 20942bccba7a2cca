"""The judgement: an evidence file against a policy, rule by rule of ``docs/evidence.md``."""

from hashlib import sha256
from typing import Any

from ledger.evidence.independent.canonical import Refused, decoded, encoded, shaped
from ledger.evidence.independent.checkpoint import (
    Claim,
    check_log_key,
    check_quorum,
    read_checkpoint,
    read_policy,
)
from ledger.evidence.independent.keyring import Keyring
from ledger.evidence.independent.statement import (
    BINDING,
    DECLARATION,
    DEVICE_KEY,
    GAP,
    ORG_KEY,
    REVOCATION,
    SEGMENT,
    TRIP,
    TYPES,
    Signed,
    read_statement,
)
from ledger.evidence.independent.tree import check_tree, entry_hash

_FORMS = {1: "trip", 2: "full", 3: "segments"}
_READINGS = {SEGMENT, GAP}
_RECORDS = {ORG_KEY, DEVICE_KEY, BINDING, REVOCATION, DECLARATION}
_KINDS = {
    "trip": {TRIP, ORG_KEY},
    "full": {TRIP, *_RECORDS, *_READINGS},
    "segments": {*_RECORDS, *_READINGS},
}
_OF_KEYS = {REVOCATION, DEVICE_KEY, ORG_KEY}
_UNREADABLE = "malformed"


def independent_verify(data: bytes, policy_text: str) -> dict[str, Any]:
    """Judge a file. Never raises on hostile bytes.

    The result: ``readable`` (else the file is no evidence file), ``verified`` (no rule was found
    broken), ``reasons`` (codes), ``details`` (a sentence for each), ``unchecked_suites`` (names of
    suites whose signatures this implementation had to take on trust: to be told with any verdict),
    ``kind``, ``statements``, ``log_size``, ``log_origin``.
    """
    result: dict[str, Any] = {
        "readable": True,
        "verified": False,
        "kind": None,
        "statements": 0,
        "log_size": 0,
        "log_origin": "",
        "reasons": [],
        "details": [],
        "unchecked_suites": [],
    }
    try:
        items = _open(data)
    except Refused as refused:
        result.update(readable=False, reasons=[refused.code], details=[refused.detail])
        return result
    result.update(kind=_FORMS[items[2]], statements=len(items[3]))
    _Judgement(result).judge(items, policy_text)
    result["verified"] = not result["reasons"]
    return result


def _open(data: bytes) -> list[Any]:
    if data[-34:-32] != b"\x58\x20" or sha256(data[:-34]).digest() != data[-32:]:
        raise Refused("damaged", "the checksum does not fit, or this is no evidence file")
    items = shaped(
        decoded(data, _UNREADABLE, "the file"),
        _UNREADABLE,
        "the file",
        *(str, int, int, list, list, bytes, bytes, bytes, bytes),
    )
    if items[0] != "hp-evidence" or items[1] != 1 or items[2] not in _FORMS or not items[3]:
        raise Refused(_UNREADABLE, "the file is of another version or form, or empty")
    for item in items[3]:
        index, kind, _ = shaped(item, _UNREADABLE, "a statement", int, int, bytes)
        if not (0 <= index < 1 << 63 and 1 <= kind <= 255):
            raise Refused(_UNREADABLE, "an index or a kind is out of range")
    indices = [item[0] for item in items[3]]
    if sorted(set(indices)) != indices:
        raise Refused(_UNREADABLE, "the statements are not in the order of the log")
    if any(type(item) is not bytes or len(item) != 32 for item in items[4]):
        raise Refused(_UNREADABLE, "the proof holds something that is no hash")
    return items


class _Judgement:
    def __init__(self, result: dict[str, Any]) -> None:
        self._result = result

    def judge(self, items: list[Any], policy_text: str) -> None:
        form = _FORMS[items[2]]
        committed, proof, note, thresholds, key_status = items[3:8]
        try:
            trust = read_policy(policy_text)
            claim = read_checkpoint(note)
        except Refused as refused:
            self._note(refused)
            return
        self._result.update(log_size=claim.size, log_origin=claim.origin)
        on_trust = check_quorum(claim, trust, self._note)
        try:
            on_trust |= check_log_key(claim, trust)
        except Refused as refused:
            self._note(refused)
        self._try(lambda: _check_tree(committed, proof, claim))
        keyring = Keyring(claim.origin, trust.pins, self._note)
        read = self._read(committed, claim.origin, keyring)
        keyring.check_bindings()
        self._check_form(form, read, thresholds, keyring)
        if key_status:
            self._try(lambda: _check_key_status(key_status, read, claim, keyring))
        self._result["unchecked_suites"] = sorted(
            keyring.unchecked | ({"ML-DSA-44"} if on_trust else set())
        )

    def _note(self, refused: Refused) -> None:
        if refused.code not in self._result["reasons"]:
            self._result["reasons"].append(refused.code)
            self._result["details"].append(refused.detail)

    def _try(self, rule: Any) -> None:
        try:
            rule()
        except Refused as refused:
            self._note(refused)

    def _read(self, committed: list[Any], origin: str, keyring: Keyring) -> list[Signed]:
        read = []
        for index, kind, raw in committed:
            try:
                signed = read_statement(index, kind, raw)
                if TYPES.get(kind) != signed.type:
                    raise Refused("type-mismatch", f"statement {index} is not of kind {kind}")
                if signed.origin != origin:
                    raise Refused("wrong-origin", f"statement {index} is of another log")
                read.append(signed)
                keyring.take(signed)
            except Refused as refused:
                self._note(refused)
        return read

    def _check_form(
        self, form: str, read: list[Signed], thresholds: bytes, keyring: Keyring
    ) -> None:
        kinds = [signed.kind for signed in read]
        if not set(kinds) <= _KINDS[form]:
            self._note(
                Refused("unexpected-statement", f"a statement has no place in a {form} file")
            )
        if thresholds and form != "full":
            self._note(Refused("unexpected-statement", "thresholds belong in a full file only"))
        if form == "segments":
            if not _READINGS & set(kinds):
                self._note(Refused("missing-statement", "the file holds no segment"))
            if len({(reading.org, reading.subject) for reading in keyring.readings}) > 1:
                self._note(Refused("unexpected-statement", "segments of several vehicles"))
        elif kinds.count(TRIP) != 1:
            code = "unexpected-statement" if TRIP in kinds else "missing-statement"
            self._note(Refused(code, f"the file holds {kinds.count(TRIP)} trips, not one"))
        elif form == "full" and keyring.trips:
            indices = {signed.index for signed in read}
            self._try(lambda: _check_provenance(keyring, thresholds, indices))


def _check_tree(committed: list[Any], proof: list[bytes], claim: Claim) -> None:
    leaves = {index: entry_hash(kind, raw) for index, kind, raw in committed}
    check_tree(leaves, claim.size, proof, claim.root)


def _check_provenance(keyring: Keyring, thresholds: bytes, indices: set[int]) -> None:
    code = "provenance-mismatch"
    trip = keyring.trips[0]
    if [reading.index for reading in keyring.readings] != trip.inputs:
        raise Refused(code, "the trip was derived from other segments than the file holds")
    digests = [reading.digest for reading in keyring.readings]
    if _grouped(digests, len(trip.digests) // 32) != trip.digests:
        raise Refused(code, "the trip was derived from other segments at these indices")
    if not set(trip.bindings) <= {binding.index for binding in keyring.bindings}:
        raise Refused(code, "a binding that the trip cites is not in the file")
    if trip.watermark is not None and trip.watermark not in indices:
        raise Refused(code, "the watermark that ended the trip is not in the file")
    owners = {(reading.org, reading.subject) for reading in keyring.readings}
    if owners - {(trip.carrier, trip.vehicle)}:
        raise Refused(code, "the trip and a segment are of different vehicles")
    if sha256(thresholds).digest() != trip.thresholds:
        raise Refused("thresholds-mismatch", "the trip was derived with other thresholds")


def _grouped(digests: list[bytes], count: int) -> bytes:
    """Digests of groups of 1, 2, 4, 8… digests, at most so many of them, joined."""
    if not 0 < count <= 768:
        return b""
    group = 1
    while group * count < len(digests):
        group *= 2
    if group == 1:
        return b"".join(digests)
    starts = range(0, len(digests), group)
    return b"".join(sha256(b"".join(digests[at : at + group])).digest() for at in starts)


def _check_key_status(raw: bytes, read: list[Signed], claim: Claim, keyring: Keyring) -> None:
    code = "bad-key-status"
    try:
        status = read_statement(0, 0, raw)
    except Refused as refused:
        raise Refused(code, refused.detail) from None
    keys, size = shaped(decoded(status.payload, code, "a key status"), code, "it", list, int)
    expected = [signed.digest for signed in read if signed.kind in _OF_KEYS]
    if status.type != "hp-keys" or status.origin != claim.origin or keys != expected:
        raise Refused(code, "the key status is about other keys or another log")
    if size < claim.size or not keyring.signed_by_operator(status):
        raise Refused(code, "the key status is older than the checkpoint, or not the exchange's")
    if encoded([keys, size]) != status.payload:
        raise Refused(code, "the key status is not in its one form")
