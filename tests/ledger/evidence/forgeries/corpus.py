"""What a forgery is, the corpus that both verifiers are held against, and how files are changed."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.evidence.file import Evidence, decode, encode
from ledger.evidence.reasons import Code
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import Kind
from tests.ledger.evidence.world import ORIGIN, T0, VEHICLE, Drive, World, segment_payload

DEVICE = "hp:acme/dev-1"


@dataclass(frozen=True)
class Forgery:
    """A file, the policy that reads it, and why it is refused."""

    data: bytes
    policy: bytes
    code: Code


Maker = Callable[[], Forgery]
FORGERIES: dict[str, Maker] = {}


def forgery(maker: Maker) -> Maker:
    """Enter a maker of forgeries into the corpus."""
    FORGERIES[maker.__name__] = maker
    return maker


def changed(data: bytes, change: Callable[[Evidence], Evidence]) -> bytes:
    """A file after a change, its checksum made right again."""
    return encode(change(decode(data)))


def of(honest: Drive, data: bytes, code: Code) -> Forgery:
    """A forgery that claims to be from this drive's exchange."""
    return Forgery(data, honest.world.policy_text(), code)


def signed_segment(
    world: World,
    *,
    signer: SoftwareSigner | None = None,
    issuer: str = DEVICE,
    vehicle: str = VEHICLE,
    at_ms: int = T0 + 4_000,
    origin: str = ORIGIN,
) -> tuple[int, bytes]:
    """Kind and bytes of a second segment, by default as the device would sign it."""
    raw = world.sign(
        signer or world.keys.device,
        Kind.SEGMENT,
        issuer,
        vehicle,
        segment_payload(1, at_ms),
        origin=origin,
    )
    return Kind.SEGMENT, raw
