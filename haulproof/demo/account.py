"""What of a drive has been committed: a count that reads the drive and the API alone."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.evidence.file import CommittedStatement, decode
from schemas.catalogue import BY_PATH
from schemas.columns import decode_column
from schemas.cose import sign1
from schemas.kinds import Kind
from schemas.samples import Block, sample_offsets_ms
from schemas.segment import read_segment_strict
from schemas.statements import gap

_MS_PER_S = 1_000
_EARTH_M = 6_371_000
_LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"]
_LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"]


@dataclass(slots=True)
class Account:
    """The seconds that committed statements cover; a second is named by its end, as samples are."""

    samples: int = 0
    segments: int = 0
    gaps: int = 0
    fixes: list[tuple[float, float]] = field(default_factory=list)
    """Latitude and longitude of each sampled fix, degrees."""
    sampled_s: set[int] = field(default_factory=set)
    gap_s: set[int] = field(default_factory=set)
    indices: set[int] = field(default_factory=set)

    def read(self, evidence: bytes) -> None:
        """Count an evidence file's segments and gaps; files may overlap."""
        for statement in decode(evidence).statements:
            if statement.index not in self.indices:
                self.indices.add(statement.index)
                self._count(statement)

    def lost(self, seconds_with_data: Iterable[int]) -> int:
        """How many of the drive's seconds are in no committed segment and no stated gap."""
        return len(set(seconds_with_data) - self.sampled_s - self.gap_s)

    def wander_m(self) -> float:
        """The diagonal of the box around all fixes, in metres; 0 without two."""
        if len(self.fixes) < 2:
            return 0.0
        latitudes, longitudes = zip(*self.fixes, strict=True)
        height = math.radians(max(latitudes) - min(latitudes))
        width = math.radians(max(longitudes) - min(longitudes))
        return _EARTH_M * math.hypot(height, width * math.cos(math.radians(latitudes[0])))

    def _count(self, statement: CommittedStatement) -> None:
        if statement.kind == Kind.SEGMENT:
            segment = read_segment_strict(sign1.parse(statement.raw).payload)
            self.segments += 1
            if not segment.driver_class:
                self.samples += segment.block.n
            self.fixes += _fixes(segment.block)
            for offset in sample_offsets_ms(segment.block):
                # After a step of the truck's clock its seconds may lie across ours: it holds both.
                self.sampled_s.update(
                    (_second(segment.t0 + offset), (segment.t0 + offset) // _MS_PER_S)
                )
        elif statement.kind == Kind.GAP:
            stated = gap.decode(sign1.parse(statement.raw).payload)
            self.gaps += 1
            self.gap_s.update(range(_second(stated.from_ms), _second(stated.to_ms) + 1))


def _second(time_ms: int) -> int:
    return -(-time_ms // _MS_PER_S)


def _fixes(block: Block) -> list[tuple[float, float]]:
    columns = (block.columns.get(_LATITUDE.id), block.columns.get(_LONGITUDE.id))
    if columns[0] is None or columns[1] is None:
        return []
    latitudes, longitudes = (decode_column(column, block.n) for column in columns if column)
    return [
        (_LATITUDE.decode(latitude), _LONGITUDE.decode(longitude))
        for latitude, longitude in zip(latitudes, longitudes, strict=True)
        if latitude is not None and longitude is not None
    ]
