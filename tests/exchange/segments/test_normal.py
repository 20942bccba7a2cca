"""A batch of segments becomes rows; a bad one spoils only itself."""

from dataclasses import replace

import pytest

from exchange.derive.payloads import read_payloads
from exchange.segments.model import Summary
from exchange.segments.normal import NULL, NormalRows
from exchange.segments.normal import normalise as normalise_payloads
from schemas.catalogue import SIGNALS
from schemas.columns import Column, encode_column
from schemas.limits import INT64_MAX, TIME_MS_MAX
from schemas.samples import Block, Burst
from schemas.segment import Segment, encode_segment

SPEED, LATITUDE, LONGITUDE, GNSS_SPEED, UNKNOWN = 1, 4, 5, 8, 9_999


def column(*values: int | None) -> Column:
    made = encode_column(values)
    assert made is not None
    return made


def a_segment(columns: dict[int, Column] | None = None, offsets: Column | None = None) -> Segment:
    return Segment(
        boot=b"bootboot",
        seq=0,
        prev=b"",
        t0=1_000_000,
        block=Block(3, None if offsets else 1_000, offsets, columns or {}),
        events=(),
        clock=(3, 20),
        salt=bytes(16),
        mono=0,
    )


def normalise(segments: list[Segment]) -> NormalRows:
    return normalise_payloads(read_payloads([encode_segment(segment) for segment in segments]))


def stored(normal: NormalRows, row: int) -> set[int]:
    fields = zip(SIGNALS, normal.signals[row], strict=True)
    return {signal for signal, encoded in fields if encoded != NULL}


TOO_WIDE = Column(0, 2, bytes(6))
NO_VALUE = Column(0, 1, b"\x80\x80\x80")
NOT_FROM_ZERO = Column(0, 1, b"\x01\x00\x00")
PAST_INT64 = Column(INT64_MAX - 1, 1, b"\x00\x01\x01")


@pytest.mark.parametrize("bad", [TOO_WIDE, NO_VALUE, NOT_FROM_ZERO, PAST_INT64])
@pytest.mark.parametrize("signal", [SPEED, LATITUDE, UNKNOWN])
def test_a_bad_column_spoils_its_own_segment(bad: Column, signal: int) -> None:
    good = a_segment({SPEED: column(1, 2, 3)})

    normal = normalise([good, a_segment({signal: bad}), good])

    assert normal.good == [True, False, True]


def test_bad_bursts_and_times_spoil_their_own_segment() -> None:
    good = a_segment({SPEED: column(1, 2, 3)})
    burst = replace(good, bursts=(Burst(0, 100, 3, {SPEED: TOO_WIDE}),))
    fine = replace(good, bursts=(Burst(0, 100, 3, {SPEED: column(1, 2, 3)}),))
    regular = a_segment(offsets=column(0, 10, 20))
    backwards = a_segment(offsets=column(0, 20, 10))
    late = a_segment(offsets=column(5, 20, 30))
    irregular = a_segment(offsets=column(0, 20, 30))

    normal = normalise([good, burst, fine, regular, backwards, late, irregular])

    assert normal.good == [True, False, True, False, False, False, True]
    assert normal.t_end[6] == 1_000_030
    assert normal.t_end[0] == 1_002_000
    assert set(normal.offsets) == {6}


def test_what_has_no_place_in_the_row_is_counted() -> None:
    normal = normalise(
        [
            a_segment(
                {
                    SPEED: column(1, 40_000, None),
                    UNKNOWN: column(None, 5, 6),
                    LATITUDE: column(1, 2, 2**40),
                }
            )
        ]
    )

    assert normal.good == [True]
    assert normal.unstored == [1 + 2 + 1]
    assert stored(normal, 0) == {SPEED, LATITUDE}


def test_summaries_are_of_what_the_row_stores() -> None:
    normal = normalise(
        [
            a_segment({SPEED: column(100, None, 300), GNSS_SPEED: column(1, 2, 3)}),
            a_segment({GNSS_SPEED: column(50, 60, 70)}),
            a_segment({SPEED: column(40_000, 50_000, 60_000)}),
            a_segment({LATITUDE: column(10, 20, 30)}),
            a_segment(),
        ]
    )

    assert normal.summaries == [
        Summary(speed_min=100, speed_max=300, speed_mean=200.0),
        Summary(speed_min=50, speed_max=70, speed_mean=60.0),
        Summary(),
        Summary(),
        Summary(),
    ]


def test_distance_adds_chords_between_fixes_of_one_segment_only() -> None:
    degree = 10_000_000
    north = a_segment({LATITUDE: column(0, degree, None), LONGITUDE: column(0, 0, 0)})
    dateline = a_segment(
        {LATITUDE: column(0, 0, 0), LONGITUDE: column(1799 * degree // 10, -180 * degree, None)}
    )

    normal = normalise([north, a_segment(), dateline])

    assert normal.summaries[0].distance_m == pytest.approx(111_195, abs=1)
    assert normal.summaries[2].distance_m == pytest.approx(11_119.5, abs=1)
    assert normal.summaries[0].latitude_max == degree
    assert normal.summaries[2].longitude_min == -180 * degree


def test_an_absurd_time_is_clamped_to_one_that_sql_knows() -> None:
    far = a_segment(offsets=column(0, 1, INT64_MAX))

    assert normalise([far]).t_end == [TIME_MS_MAX]
    assert normalise([]).good == []
