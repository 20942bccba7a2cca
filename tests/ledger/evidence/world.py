"""A whole exchange in memory: keys, a log and evidence files, with every rule open to breaking."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import TreeHead
from ledger.evidence.file import CommittedStatement, Evidence, Form, encode, make_evidence
from ledger.evidence.key_status import KeyStatus, sign_key_status
from ledger.leaf import statement_leaf_hashes
from ledger.multiproof import multiproof
from ledger.note import Ed25519NoteSigner, sign_note
from ledger.policy import Policy, parse_policy
from ledger.tiles import TileReader, append
from schemas.columns import encode_column
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import TYPE_TEXT, Kind
from schemas.samples import Block
from schemas.segment import Segment, encode_segment
from schemas.statements import org_key
from schemas.statements.binding import Binding
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey, Rotation
from schemas.statements.device_key import possession_message as device_possession
from schemas.statements.gap import CAUSE_RESTART, Gap
from schemas.statements.org_key import OrgKey, Role
from schemas.statements.trip import Provenance, Trip, group_digests
from schemas.statements.trip_content import EndRule, StartRule, TripContent

ORIGIN = "log.example/haulproof-test"
VEHICLE = "v-5f3a"
T0 = 1_700_000_000_000
SALT = bytes(range(16))
BOOT = bytes(range(8))
THRESHOLDS = b"\x82\x01\x19\x01\x2c"


def es256(number: int) -> SoftwareSigner:
    """A fixed P-256 key."""
    return SoftwareSigner(ec.derive_private_key(number, ec.SECP256R1()))


def ml_dsa_44(number: int) -> SoftwareSigner:
    """A fixed ML-DSA-44 key."""
    return SoftwareSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes([number]) * 32))


def log_key(number: int, origin: str = ORIGIN) -> Ed25519NoteSigner:
    """A fixed log key."""
    return Ed25519NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


@dataclass(frozen=True)
class Keys:
    """Everybody's private keys."""

    log: Ed25519NoteSigner = field(default_factory=lambda: log_key(1))
    exchange: SoftwareSigner = field(default_factory=lambda: es256(11))
    carrier: SoftwareSigner = field(default_factory=lambda: es256(12))
    device: SoftwareSigner = field(default_factory=lambda: es256(13))


class World:
    """A log that commits whatever it is told to."""

    def __init__(self, keys: Keys | None = None, origin: str = ORIGIN) -> None:
        self.keys = keys or Keys()
        self.origin = origin
        self.statements: list[tuple[int, bytes]] = []

    def commit(self, kind: int, raw: bytes) -> int:
        self.statements.append((kind, raw))
        return len(self.statements) - 1

    def sign(
        self,
        signer: SoftwareSigner,
        kind: Kind,
        issuer: str,
        subject: str,
        payload: bytes,
        *,
        origin: str | None = None,
        type_text: str | None = None,
    ) -> bytes:
        return sign1.sign(
            signer,
            issuer=issuer,
            subject=subject,
            origin=self.origin if origin is None else origin,
            type_text=type_text or TYPE_TEXT[kind],
            payload=payload,
        )

    def put(
        self, signer: SoftwareSigner, kind: Kind, issuer: str, subject: str, payload: bytes
    ) -> int:
        """Sign and commit."""
        return self.commit(kind, self.sign(signer, kind, issuer, subject, payload))

    def raw(self, index: int) -> bytes:
        return self.statements[index][1]

    def note(self) -> bytes:
        return sign_note(
            TreeHead(self.origin, len(self.statements), self._tree().root).text, self.keys.log
        )

    def get_node(self, level: int, index: int) -> bytes:
        tiles = self._tree().changed
        return TileReader(lambda tile_level, n: tiles[tile_level, n])(level, index)

    def committed(self, indices: Sequence[int]) -> list[CommittedStatement]:
        return [CommittedStatement(index, *self.statements[index]) for index in indices]

    def evidence(
        self,
        form: Form,
        indices: Sequence[int],
        *,
        thresholds: bytes = b"",
        key_status: bytes = b"",
    ) -> bytes:
        return make_evidence(
            form,
            self.committed(indices),
            self.note(),
            self.get_node,
            thresholds=thresholds,
            key_status=key_status,
        )

    def any_evidence(self, evidence: Evidence) -> bytes:
        """A file with this content, whatever it says; its proof made anew."""
        indices = [one.index for one in evidence.statements]
        hashes = multiproof(self.get_node, indices, len(self.statements))
        return encode(replace(evidence, hashes=tuple(hashes), note=self.note()))

    def policy_text(self, *lines: str) -> bytes:
        return "\n".join([f"log {self.keys.log.vkey}", "quorum none", *lines, ""]).encode()

    def policy(self, *lines: str) -> Policy:
        return parse_policy(self.policy_text(*lines))

    def key_status(self, indices: Sequence[int], size: int | None = None) -> bytes:
        """The exchange's word on the key statements at these indices."""
        digests = [sign1.parse(self.raw(index)).digest for index in indices]
        status = KeyStatus(tuple(digests), len(self.statements) if size is None else size)
        return sign_key_status(status, self.keys.exchange, issuer="hp:exchange", origin=self.origin)

    def _tree(self) -> "Tiles":
        leaves = [(kind, sha256(raw).digest()) for kind, raw in self.statements]
        made = append(0, {}, statement_leaf_hashes(leaves))
        return Tiles(made.root, made.changed)


@dataclass(frozen=True)
class Tiles:
    """A tree's root and tiles."""

    root: bytes
    changed: dict[tuple[int, int], bytes]


def org_key_payload(name: str, role: Role, signer: SoftwareSigner) -> bytes:
    proof = signer.sign(org_key.possession_message(signer.public.cose_key))
    return OrgKey(name, role, signer.public.cose_key, proof, T0, SALT).encode()


def device_key_payload(
    signer: SoftwareSigner,
    *,
    carrier: str = "acme",
    device: str = "dev-1",
    origin: str = ORIGIN,
    proof_by: SoftwareSigner | None = None,
    rotation: Rotation | None = None,
) -> bytes:
    proof = (proof_by or signer).sign(device_possession(carrier, device, origin))
    cose_key = signer.public.cose_key
    return DeviceKey(
        carrier, device, cose_key, proof, AGENT_MEASURED, "", T0, SALT, rotation
    ).encode()


def binding_payload(
    device: str = "dev-1", vehicle: str = VEHICLE, from_ms: int = 0, to_ms: int | None = None
) -> bytes:
    return Binding(device, vehicle, from_ms, to_ms, SALT).encode()


def segment_payload(seq: int, t0: int, prev: bytes = bytes(32)) -> bytes:
    column = encode_column([5_000 + seq, 5_010, None, 5_020])
    if column is None:
        raise AssertionError("a column with values")
    block = Block(4, 1_000, None, {1: column})
    return encode_segment(Segment(BOOT, seq, prev, t0, block, (), (3, 20), SALT, 1_000))


def gap_payload(seq: int, from_ms: int, to_ms: int) -> bytes:
    return Gap(BOOT, seq, bytes(32), from_ms, to_ms, CAUSE_RESTART, (3, 20), SALT).encode()


def trip_content(thresholds_digest: bytes, vehicle: str = VEHICLE) -> TripContent:
    return TripContent(
        trip_id=bytes(range(16)),
        carrier="acme",
        vehicle=vehicle,
        derivation=1,
        thresholds=thresholds_digest,
        window=(T0, T0 + 60_000),
        start=(T0, StartRule.SPEED),
        end=(T0 + 50_000, EndRule.SOURCE_ENDED),
        first_moving_ms=T0,
        moving_ms=40_000,
        standing_ms=5_000,
        gap_ms=5_000,
        samples=12,
        conflicts=0,
        assurance=1,
        odometer_m=12_300,
        odometer=(1_000_000, 1_012_300),
        gnss_mm=12_250_000,
        chords=(5_000, 1),
    )


def trip_payload(
    world: World,
    inputs: Sequence[int],
    bindings: Sequence[int],
    thresholds: bytes = THRESHOLDS,
    vehicle: str = VEHICLE,
    watermark: tuple[int, int] | None = None,
) -> bytes:
    digests = [sign1.parse(world.raw(index)).digest for index in inputs]
    provenance = Provenance(
        revision=1,
        supersedes=(),
        inputs=tuple(inputs),
        digests=group_digests(digests),
        faults=(),
        bindings=tuple(bindings),
        watermark=watermark,
    )
    return Trip(trip_content(sha256(thresholds).digest(), vehicle), provenance, SALT).encode()


@dataclass(frozen=True)
class Drive:
    """A world in which one truck drove once, and where its statements are."""

    world: World
    exchange: int
    carrier: int
    device: int
    binding: int
    readings: tuple[int, ...]
    trip: int

    @property
    def keys(self) -> tuple[int, ...]:
        return (self.exchange, self.carrier, self.device)

    def trip_file(self) -> bytes:
        return self.world.evidence(Form.TRIP, [self.exchange, self.trip])

    def full_file(self) -> bytes:
        everything = [*self.keys, self.binding, *self.readings, self.trip]
        return self.world.evidence(Form.FULL, everything, thresholds=THRESHOLDS)

    def segments_file(self) -> bytes:
        return self.world.evidence(Form.SEGMENTS, [*self.keys, self.binding, *self.readings])


def enrol(world: World) -> tuple[int, int, int, int]:
    """The exchange, a carrier, its device and binding, each signed by whom it should be."""
    keys = world.keys
    operator = org_key_payload("exchange", Role.OPERATOR, keys.exchange)
    carrier = org_key_payload("acme", Role.CARRIER, keys.carrier)
    device = device_key_payload(keys.device, origin=world.origin)
    return (
        world.put(keys.exchange, Kind.ORG_KEY, "hp:exchange", "exchange", operator),
        world.put(keys.exchange, Kind.ORG_KEY, "hp:exchange", "acme", carrier),
        world.put(keys.carrier, Kind.DEVICE_KEY, "hp:acme", "dev-1", device),
        world.put(keys.carrier, Kind.BINDING, "hp:acme", VEHICLE, binding_payload()),
    )


def drive(keys: Keys | None = None, origin: str = ORIGIN) -> Drive:
    """One truck, two segments, a gap, a segment, a trip; other records around and between them."""
    world = World(keys, origin)
    exchange, carrier, device, binding = enrol(world)
    _strangers(world, 5)
    issuer, signer = "hp:acme/dev-1", world.keys.device
    readings = [
        world.put(signer, Kind.SEGMENT, issuer, VEHICLE, segment_payload(0, T0)),
        world.put(signer, Kind.SEGMENT, issuer, VEHICLE, segment_payload(1, T0 + 4_000)),
    ]
    _strangers(world, 2)
    gap = gap_payload(2, T0 + 8_000, T0 + 13_000)
    readings.append(world.put(signer, Kind.GAP, issuer, VEHICLE, gap))
    last = segment_payload(3, T0 + 14_000)
    readings.append(world.put(signer, Kind.SEGMENT, issuer, VEHICLE, last))
    payload = trip_payload(world, readings, [binding])
    trip = world.put(world.keys.exchange, Kind.TRIP, "hp:exchange", VEHICLE, payload)
    _strangers(world, 3)
    return Drive(world, exchange, carrier, device, binding, tuple(readings), trip)


def _strangers(world: World, count: int) -> None:
    """Leaves of statements that no file here holds."""
    for _ in range(count):
        world.commit(Kind.SEGMENT, b"somebody else's statement %d" % len(world.statements))
