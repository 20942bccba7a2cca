"""Who may sign what in a file: keys are statements, and come before what they sign.

Statements are taken in the order of the log. The first organisation key is the exchange's own,
signed by itself; organisation keys and trips are signed by the exchange, device keys and bindings
by their carrier, segments and gaps by their device. A key whose own statement fails signs nothing.
A key that was replaced or revoked before signs only what is left to it (``standing``).
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.evidence.key_status import STATUS_KINDS
from ledger.evidence.reasons import Code, Findings
from ledger.evidence.standing import KeyRecord, Standing
from ledger.policy import Policy
from schemas.cose import cbor, sign1
from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import Statement
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.limits import TIME_MS_MAX
from schemas.names import device_issuer, org_issuer, parse_issuer
from schemas.statements import binding, device_key, gap, org_key, release, revocation, trip
from schemas.statements.binding import Binding
from schemas.statements.org_key import Role
from schemas.statements.trip import Trip

_Payload = TypeVar("_Payload")


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """A statement whose form, type and origin are right, and its place in the log."""

    index: int
    kind: Kind
    statement: Statement
    digest: bytes

    @property
    def name(self) -> str:
        """How findings name it."""
        return f"statement {self.index} ({self.statement.header.type})"


@dataclass(frozen=True, slots=True)
class Reading:
    """A segment or gap whose device signed it."""

    index: int
    kind: Kind
    digest: bytes
    carrier: str
    device: str
    vehicle: str
    at_ms: int
    """t0 of a segment, start of a gap."""
    payload: bytes


@dataclass
class Signed:
    """What the keys of the file have signed, verified."""

    operator: str | None = None
    """Name of the exchange's organisation."""
    orgs: dict[tuple[str, Role, bytes], set[PublicKey]] = field(default_factory=dict)
    """Keys by organisation, role and key id: a large file's keys are looked up, not searched."""
    devices: dict[tuple[str, str, bytes], set[PublicKey]] = field(default_factory=dict)
    """Keys by carrier, device and key id."""
    bindings: list[tuple[int, str, Binding]] = field(default_factory=list)
    """Index, carrier, binding."""
    readings: list[Reading] = field(default_factory=list)
    trips: list[tuple[int, Trip]] = field(default_factory=list)
    key_digests: list[bytes] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    signers: dict[str, str] = field(default_factory=dict)
    """Issuer of anything verified, and the suite of its key."""


class SignatureCheck:
    """Steps 5 and 6 of verification, one statement after the other."""

    def __init__(self, origin: str, policy: Policy, findings: Findings) -> None:
        self.signed = Signed()
        self._origin = origin
        self._policy = policy
        self._findings = findings
        self._takers: dict[Kind, Callable[[ReadStatement], None]] = {
            Kind.ORG_KEY: self._take_org_key,
            Kind.DEVICE_KEY: self._take_device_key,
            Kind.REVOCATION: self._take_revocation,
            Kind.DECLARATION: self._take_release,
            Kind.BINDING: self._take_binding,
            Kind.SEGMENT: self._take_segment,
            Kind.GAP: self._take_gap,
            Kind.TRIP: self._take_trip,
        }

    def take(self, read: ReadStatement) -> None:
        """Check one statement against the keys before it, and keep what it says."""
        taker = self._takers.get(read.kind)
        if taker is None:
            self._findings.add(Code.UNEXPECTED_STATEMENT, f"{read.name} has no place in the file")
            return
        if read.kind in STATUS_KINDS:
            self.signed.key_digests.append(read.digest)
        taker(read)

    def verify_by_operator(self, statement: Statement) -> bool:
        """Whether the exchange signed a statement that is no leaf."""
        standing, issuer = self.signed.standing, statement.header.issuer
        return any(
            _verifies(statement, key) and not standing.is_revoked(issuer, key.thumbprint)
            for key in self._operator_keys(statement)
        )

    def _take_org_key(self, read: ReadStatement) -> None:
        try:
            record = org_key.decode(read.statement.payload)
        except StatementRefused as refused:
            self._findings.add(Code.BAD_KEY_RECORD, f"{read.name}: {refused.detail}")
            return
        key = PublicKey.from_cose_key(record.cose_key)
        first = self.signed.operator is None
        if first and (record.role is not Role.OPERATOR or record.name != _org(read.statement)):
            self._unknown(read, "the exchange's own key record is not in the file before it")
            return
        candidates = {key} if first else self._operator_keys(read.statement)
        if not self._verified(read, candidates):
            return
        if read.statement.header.subject != record.name:
            self._findings.add(Code.WRONG_SUBJECT, f"{read.name} is of another organisation")
            return
        self._check_pin(read, org_issuer(record.name), key)
        if first:
            self.signed.operator = record.name
        self.signed.orgs.setdefault((record.name, record.role, key.kid), set()).add(key)
        self._enter(read, org_issuer(record.name), key)

    def _take_device_key(self, read: ReadStatement) -> None:
        if not self._verified(read, self._carrier_keys(read.statement)):
            return
        try:
            record = device_key.decode(read.statement.payload, self._origin)
        except StatementRefused as refused:
            self._findings.add(Code.BAD_KEY_RECORD, f"{read.name}: {refused.detail}")
            return
        header = read.statement.header
        if (record.carrier, record.device) != (_org(read.statement), header.subject):
            self._findings.add(Code.WRONG_SUBJECT, f"{read.name} is of another device")
            return
        key = PublicKey.from_cose_key(record.cose_key)
        self.signed.devices.setdefault((record.carrier, record.device, key.kid), set()).add(key)
        holder = device_issuer(record.carrier, record.device)
        self._enter(read, holder, key)
        if record.rotation is not None:
            self.signed.standing.replace(read.index, holder, record.rotation)

    def _enter(self, read: ReadStatement, holder: str, key: PublicKey) -> None:
        header = read.statement.header
        record = KeyRecord(read.kind, holder, header.issuer, header.subject, key.thumbprint)
        self.signed.standing.enter(read.digest, record)

    def _take_revocation(self, read: ReadStatement) -> None:
        record = self._decoded(read, revocation.decode)
        if record is None:
            return
        of_org = record.target_kind is Kind.ORG_KEY
        may = self._operator_keys if of_org else self._carrier_keys
        if not self._verified(read, may(read.statement)):
            return
        target = self.signed.standing.record(record.target_digest, record.target_kind)
        header = read.statement.header
        if target is None or target.voucher != header.issuer:
            self._findings.add(
                Code.BAD_KEY_RECORD,
                f"{read.name} revokes no key of the file that {header.issuer} vouched for",
            )
        elif target.subject != header.subject:
            self._findings.add(Code.WRONG_SUBJECT, f"{read.name} is of another key's holder")
        else:
            self.signed.standing.revoke(read.index, target)

    def _take_release(self, read: ReadStatement) -> None:
        if not self._verified(read, self._carrier_keys(read.statement)):
            return
        record = self._decoded(read, release.decode)
        if record is not None:
            header = read.statement.header
            self.signed.standing.release(f"{header.issuer}/{header.subject}", record.digests)

    def _take_binding(self, read: ReadStatement) -> None:
        if not self._verified(read, self._carrier_keys(read.statement)):
            return
        record = self._decoded(read, binding.decode)
        if record is None:
            return
        if record.vehicle != read.statement.header.subject:
            self._findings.add(Code.WRONG_SUBJECT, f"{read.name} is of another vehicle")
            return
        self.signed.bindings.append(
            (read.index, parse_issuer(read.statement.header.issuer).org, record)
        )

    def _take_segment(self, read: ReadStatement) -> None:
        self._take_reading(read, _segment_start_ms)

    def _take_gap(self, read: ReadStatement) -> None:
        self._take_reading(read, lambda payload: gap.decode(payload).from_ms)

    def _take_reading(self, read: ReadStatement, start_of: Callable[[bytes], int]) -> None:
        header = read.statement.header
        issuer = parse_issuer(header.issuer)
        device = issuer.device or ""
        if not self._verified(
            read, self.signed.devices.get((issuer.org, device, header.kid), set())
        ):
            return
        at_ms = self._decoded(read, start_of)
        if at_ms is None:
            return
        self.signed.readings.append(
            Reading(
                index=read.index,
                kind=read.kind,
                digest=read.digest,
                carrier=issuer.org,
                device=device,
                vehicle=header.subject,
                at_ms=at_ms,
                payload=read.statement.payload,
            )
        )

    def _take_trip(self, read: ReadStatement) -> None:
        if not self._verified(read, self._operator_keys(read.statement)):
            return
        record = self._decoded(read, trip.decode)
        if record is None:
            return
        if record.content.vehicle != read.statement.header.subject:
            self._findings.add(Code.WRONG_SUBJECT, f"{read.name} is of another vehicle")
            return
        self.signed.trips.append((read.index, record))

    def _verified(self, read: ReadStatement, candidates: Set[PublicKey]) -> bool:
        header = read.statement.header
        keys = [key for key in candidates if key.kid == header.kid and key.alg == header.alg]
        if not keys:
            self._unknown(
                read, f"no key of {header.issuer} that signed it is in the file before it"
            )
            return False
        key = next((key for key in keys if _verifies(read.statement, key)), None)
        if key is None:
            self._findings.add(
                Code.BAD_STATEMENT_SIGNATURE, f"{read.name}: {header.issuer} did not sign it"
            )
            return False
        barred = self.signed.standing.bars(
            header.issuer, key.thumbprint, read.kind, read.digest, read.statement.payload
        )
        if barred is not None:
            self._findings.add(
                barred, f"{read.name}: the key of {header.issuer} may no longer say this"
            )
            return False
        self.signed.signers[header.issuer] = key.suite_name
        return True

    def _decoded(self, read: ReadStatement, decode: Callable[[bytes], _Payload]) -> _Payload | None:
        try:
            return decode(read.statement.payload)
        except StatementRefused as refused:
            self._findings.add(Code.MALFORMED_STATEMENT, f"{read.name}: {refused.detail}")
            return None

    def _operator_keys(self, statement: Statement) -> Set[PublicKey]:
        return self._org_keys(statement, Role.OPERATOR)

    def _carrier_keys(self, statement: Statement) -> Set[PublicKey]:
        return self._org_keys(statement, Role.CARRIER)

    def _org_keys(self, statement: Statement, role: Role) -> Set[PublicKey]:
        named = _org(statement)
        if named is None or (role is Role.OPERATOR and named != self.signed.operator):
            return frozenset()
        return self.signed.orgs.get((named, role, statement.header.kid), frozenset())

    def _unknown(self, read: ReadStatement, detail: str) -> None:
        self._findings.add(Code.UNKNOWN_ISSUER, f"{read.name}: {detail}")

    def _check_pin(self, read: ReadStatement, issuer: str, key: PublicKey) -> None:
        pinned = self._policy.pins.get(issuer)
        if pinned is not None and key.thumbprint not in pinned:
            self._findings.add(
                Code.PIN_MISMATCH,
                f"{read.name} gives {issuer} the key {key.thumbprint.hex()}, and your policy "
                "pins another",
            )


def _verifies(statement: Statement, key: PublicKey) -> bool:
    try:
        sign1.verify(statement, key)
    except StatementRefused:
        return False
    return True


def _org(statement: Statement) -> str | None:
    issuer = parse_issuer(statement.header.issuer)
    return issuer.org if issuer.device is None else None


def _segment_start_ms(payload: bytes) -> int:
    """t0 alone: what the samples say is for whoever uses them, and is read strictly there."""
    fields = cbor.decode_exact(payload)
    t0 = fields.get(5) if type(fields) is dict else None
    return cbor.take_uint(t0, "t0", TIME_MS_MAX)
