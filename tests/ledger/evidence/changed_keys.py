"""A truck whose key is replaced or revoked while it drives, each record open to breaking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.evidence.file import Form
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import Kind
from schemas.statements.device_key import Rotation
from schemas.statements.release import Release
from schemas.statements.revocation import Revocation
from tests.ledger.evidence.world import (
    BOOT,
    SALT,
    T0,
    VEHICLE,
    World,
    device_key_payload,
    enrol,
    es256,
    segment_payload,
)

DEVICE = "hp:acme/dev-1"
NEW_KEY = es256(14)


@dataclass
class Changing:
    """An enrolled truck; whatever is called on it is committed, and in the file."""

    world: World
    exchange: int
    carrier: int
    device: int
    seq: int = 0

    @classmethod
    def enrolled(cls) -> "Changing":
        world = World()
        exchange, carrier, device, _ = enrol(world)
        return cls(world, exchange, carrier, device)

    def segment(self, signer: SoftwareSigner | None = None) -> int:
        """The next segment, by default of the first key."""
        return self.world.commit(Kind.SEGMENT, self.next_segment(signer))

    def next_segment(self, signer: SoftwareSigner | None = None) -> bytes:
        payload = segment_payload(self.seq, T0 + self.seq * 4_000)
        self.seq += 1
        by = signer or self.world.keys.device
        return self.world.sign(by, Kind.SEGMENT, DEVICE, VEHICLE, payload)

    def rotate(self, boots: Mapping[bytes, int] | None = None) -> int:
        """The new key replaces the first; by default it lists two segments more."""
        keys = self.world.keys
        listed = {BOOT: self.seq + 1} if boots is None else boots
        rotation = Rotation(keys.device.public.thumbprint, listed)
        payload = device_key_payload(NEW_KEY, rotation=rotation)
        return self.world.put(keys.carrier, Kind.DEVICE_KEY, "hp:acme", "dev-1", payload)

    def revoke(
        self,
        target: int | None = None,
        *,
        kind: Kind = Kind.DEVICE_KEY,
        by: SoftwareSigner | None = None,
        issuer: str = "hp:acme",
        subject: str = "dev-1",
    ) -> int:
        """The carrier revokes the first key, unless it is said otherwise."""
        digest = self.digest(self.device if target is None else target)
        payload = Revocation(kind, digest, T0, SALT).encode()
        signer = by or self.world.keys.carrier
        return self.world.put(signer, Kind.REVOCATION, issuer, subject, payload)

    def release(
        self,
        raws: Sequence[bytes],
        *,
        by: SoftwareSigner | None = None,
        issuer: str = "hp:acme",
        subject: str = "dev-1",
    ) -> int:
        digests = tuple(sorted(sign1.parse(raw).digest for raw in raws))
        payload = Release(T0, digests, SALT).encode()
        signer = by or self.world.keys.carrier
        return self.world.put(signer, Kind.DECLARATION, issuer, subject, payload)

    def digest(self, index: int) -> bytes:
        return sign1.parse(self.world.raw(index)).digest

    def file(self, *, key_status: bool = True) -> bytes:
        """Everything that was committed, with the exchange's word on the keys."""
        world = self.world
        of_keys = (Kind.REVOCATION, Kind.DEVICE_KEY, Kind.ORG_KEY)
        named = [n for n, (kind, _) in enumerate(world.statements) if kind in of_keys]
        status = world.key_status(named) if key_status else b""
        return world.evidence(Form.SEGMENTS, range(len(world.statements)), key_status=status)


def rotated() -> Changing:
    """Two segments of the first key, the rotation, one listed and late, one of the new key."""
    truck = Changing.enrolled()
    truck.segment()
    truck.segment()
    truck.rotate()
    truck.segment()
    truck.segment()
    truck.segment(NEW_KEY)
    return truck


def released() -> Changing:
    """A segment, the revocation of its key, and another one that the carrier released."""
    truck = Changing.enrolled()
    truck.segment()
    truck.revoke()
    late = truck.next_segment()
    truck.release([late])
    truck.world.commit(Kind.SEGMENT, late)
    return truck
