"""A trip of many segments in the full form: everyone's keys, real samples, and the file of it all.

Nothing is left out of what an exchange puts into such a file, and nobody's policy is bent for it:
``haulproof verify`` takes these files as it takes any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.derive.thresholds import Thresholds
from firmware_sim.fleet import SAMPLES, STEP_MS, FleetDevice, FleetPlan, make_devices, sign_device
from haulproof.bench.evidence.sparse_tree import SparseTree
from haulproof.bench.load.admission import CARRIER
from haulproof.bench.load.fleet import drive_blocks
from ledger.checkpoint import TreeHead, sign_checkpoint
from ledger.evidence.file import CommittedStatement, Form, make_evidence
from ledger.evidence.key_status import KeyStatus, sign_key_status
from ledger.leaf import statement_leaf_hash
from ledger.merkle import tree_root
from ledger.multiproof import multiproof
from ledger.note import Ed25519NoteSigner
from ledger.policy import Policy
from schemas.cose.keys import Signer, SoftwareSigner
from schemas.cose.sign1 import sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import org_issuer
from schemas.statements import org_key
from schemas.statements.binding import Binding
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey, possession_message
from schemas.statements.org_key import OrgKey, Role
from schemas.statements.trip import Provenance, Trip, group_digests
from schemas.statements.trip_content import EndRule, StartRule, TripContent

_ORIGIN = "localhost/haulproof-bench"
_EXCHANGE = "exchange"
_T0_MS = 1_750_000_000_000
_SALT = bytes(SALT_BYTES)
_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class TripFile:
    """An evidence file, and what it can't do without."""

    data: bytes
    segments_bytes: int
    multiproof_bytes: int
    """32 for each hash that a reader of these leaves can't compute."""


@dataclass(frozen=True)
class LongTrip:
    """One vehicle's segments and everyone around them; ``file`` puts them into a log."""

    segments: int
    device: FleetDevice = field(default_factory=lambda: make_devices(CARRIER, 1)[0])
    exchange: SoftwareSigner = field(default_factory=SoftwareSigner.generate)
    carrier: SoftwareSigner = field(default_factory=SoftwareSigner.generate)
    log: Ed25519NoteSigner = field(
        default_factory=lambda: Ed25519NoteSigner(_ORIGIN, Ed25519PrivateKey.generate())
    )
    signed: list[bytes] = field(init=False)
    """The segments in the order of their chain."""

    def __post_init__(self) -> None:
        plan = FleetPlan(_ORIGIN, self.segments, _T0_MS, 1, drive_blocks())
        object.__setattr__(self, "signed", sign_device(self.device, 0, plan))

    @property
    def policy(self) -> Policy:
        """A reader's that trusts the log's key and asks for no witness."""
        return Policy(logs=(self.log.vkey,))

    def file(self, places: Sequence[int], size: int) -> TripFile:
        """The evidence with the segments at ``places``, ascending, of a log of ``size`` leaves.

        Keys and binding are the log's first leaves, the trip is its last.
        """
        keys = self._keys()
        statements = list(enumerate(keys))
        statements += [
            (at, (Kind.SEGMENT, raw)) for at, raw in zip(places, self.signed, strict=True)
        ]
        statements.append((size - 1, (Kind.TRIP, self._trip(places, len(keys) - 1))))
        committed = [CommittedStatement(at, int(kind), raw) for at, (kind, raw) in statements]
        tree = SparseTree(
            {
                one.index: statement_leaf_hash(one.kind, sha256(one.raw).digest())
                for one in committed
            }
        )
        note = sign_checkpoint(TreeHead(_ORIGIN, size, tree_root(tree.get_node, size)), self.log)
        status = KeyStatus(tuple(sha256(raw).digest() for _, raw in keys[:-1]), size)
        data = make_evidence(
            Form.FULL,
            committed,
            note,
            tree.get_node,
            thresholds=_THRESHOLDS.encode(),
            key_status=sign_key_status(
                status, self.exchange, issuer=org_issuer(_EXCHANGE), origin=_ORIGIN
            ),
        )
        hashes = multiproof(tree.get_node, [one.index for one in committed], size)
        return TripFile(data, sum(map(len, self.signed)), sum(map(len, hashes)))

    def _keys(self) -> list[tuple[Kind, bytes]]:
        """The exchange's key, the carrier's, the device's, and the binding last."""
        device = SoftwareSigner.from_pem(self.device.key_pem)
        named, cose_key = self.device.device, device.public.cose_key
        proof = device.sign(possession_message(CARRIER, named, _ORIGIN))
        record = DeviceKey(CARRIER, named, cose_key, proof, AGENT_MEASURED, "", _T0_MS, _SALT)
        bound = Binding(named, self.device.vehicle, 0, None, _SALT)
        return [
            self._org_key(_EXCHANGE, Role.OPERATOR, self.exchange),
            self._org_key(CARRIER, Role.CARRIER, self.carrier),
            _signed(self.carrier, Kind.DEVICE_KEY, CARRIER, named, record.encode()),
            _signed(self.carrier, Kind.BINDING, CARRIER, self.device.vehicle, bound.encode()),
        ]

    def _org_key(self, name: str, role: Role, holder: Signer) -> tuple[Kind, bytes]:
        proof = holder.sign(org_key.possession_message(holder.public.cose_key))
        record = OrgKey(name, role, holder.public.cose_key, proof, _T0_MS, _SALT)
        return _signed(self.exchange, Kind.ORG_KEY, _EXCHANGE, name, record.encode())

    def _trip(self, places: Sequence[int], binding: int) -> bytes:
        digests = [sha256(raw).digest() for raw in self.signed]
        provenance = Provenance(
            revision=1,
            supersedes=(),
            inputs=tuple(places),
            digests=group_digests(digests),
            faults=(),
            bindings=(binding,),
        )
        payload = Trip(self._content(), provenance, _SALT).encode()
        return _signed(self.exchange, Kind.TRIP, _EXCHANGE, self.device.vehicle, payload)[1]

    def _content(self) -> TripContent:
        lasting_ms = self.segments * SAMPLES * STEP_MS
        end_ms = _T0_MS + lasting_ms
        return TripContent(
            trip_id=bytes(16),
            carrier=CARRIER,
            vehicle=self.device.vehicle,
            derivation=1,
            thresholds=_THRESHOLDS.digest,
            window=(_T0_MS, end_ms),
            start=(_T0_MS, StartRule.SPEED),
            end=(end_ms, EndRule.SOURCE_ENDED),
            first_moving_ms=_T0_MS,
            moving_ms=lasting_ms,
            standing_ms=0,
            gap_ms=0,
            samples=self.segments * SAMPLES,
            conflicts=0,
            assurance=AGENT_MEASURED,
        )


def _signed(
    signer: Signer, kind: Kind, organisation: str, subject: str, payload: bytes
) -> tuple[Kind, bytes]:
    raw = sign(
        signer,
        issuer=org_issuer(organisation),
        subject=subject,
        origin=_ORIGIN,
        type_text=TYPE_TEXT[kind],
        payload=payload,
    )
    return kind, raw
