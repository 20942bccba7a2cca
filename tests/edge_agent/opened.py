"""Open segments and sealers for tests: deterministic salts, a fresh key."""

from collections.abc import Mapping, Sequence

from edge_agent.open_segment import OpenSegment
from edge_agent.sampler import Sample
from edge_agent.sealer import Identity, Sealer
from edge_agent.timebase import ClockQuality
from schemas.catalogue import BY_PATH
from schemas.cose.keys import SoftwareSigner
from tests.edge_agent.broker import CARRIER, DEVICE
from tests.edge_agent.fake_exchange import ORIGIN, VEHICLE

T0 = 1_700_000_000_000
BOOT = bytes(range(8))
SPEED = BY_PATH["Vehicle.Speed"].id
RPM = BY_PATH["Vehicle.Powertrain.CombustionEngine.Speed"].id
WORKING_STATE = BY_PATH["Vehicle.Tachograph.Driver.Driver1.WorkingState"].id


def sealer(signer: SoftwareSigner | None = None) -> Sealer:
    """A sealer of the test device."""
    identity = Identity(
        signer or SoftwareSigner.generate(), f"hp:{CARRIER}/{DEVICE}", VEHICLE, ORIGIN
    )
    return Sealer(identity, lambda n: bytes(n))


def opened(
    cells: Sequence[Mapping[int, int]], seq: int = 0, gap_from_ms: int | None = None
) -> OpenSegment:
    """An open segment with one sample a second; empty cells leave a second out."""
    times = [T0 + 1_000 * i for i, values in enumerate(cells) if values]
    segment = OpenSegment(
        BOOT, seq, times[0] if times else T0, 7, ClockQuality(3, 500), gap_from_ms
    )
    for t_ms, values in zip(times, (values for values in cells if values), strict=True):
        segment.add(Sample(t_ms, values))
    return segment
