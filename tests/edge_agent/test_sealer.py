import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.open_segment import OpenSegment
from edge_agent.sampler import Sample
from edge_agent.sealer import Dropped, Sealed, block_of
from edge_agent.timebase import ClockQuality
from schemas.catalogue import SIGNALS
from schemas.columns import decode_column
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import Kind
from schemas.limits import SAMPLES_MAX
from schemas.samples import sample_offsets_ms
from schemas.segment import FLAG_RECOVERED, Segment, SegmentEvent, read_segment_strict
from schemas.statements import gap as gap_statement
from tests.edge_agent.opened import BOOT, RPM, SPEED, T0, WORKING_STATE, opened, sealer

CELLS = st.dictionaries(st.sampled_from(sorted(SIGNALS)), st.integers(-(2**61), 2**61), max_size=6)
SECONDS = st.lists(CELLS, min_size=1, max_size=90).filter(any)


def segment_of(sealed: Sealed) -> Segment:
    return read_segment_strict(sign1.parse(sealed.raw).payload)


def restored(segments: list[Segment]) -> dict[tuple[int, int], int]:
    """Values by (time, signal) as a reader sees them."""
    found = {}
    for segment in segments:
        times = [segment.t0 + offset for offset in sample_offsets_ms(segment.block)]
        for signal_id, column in segment.block.columns.items():
            for t_ms, value in zip(times, decode_column(column, segment.block.n), strict=True):
                if value is not None:
                    found[t_ms, signal_id] = value
    return found


@given(SECONDS)
def test_what_is_sealed_is_what_was_sampled(seconds: list[dict[int, int]]) -> None:
    one = opened(seconds)
    segments = [segment_of(sealed) for sealed in sealer().seal(one, b"", 0)]

    expected = {(s.t_ms, i): v for s in one.samples for i, v in s.cells.items()}
    assert restored(segments) == expected


@given(SECONDS)
def test_what_is_of_the_driver_is_sealed_apart(seconds: list[dict[int, int]]) -> None:
    for sealed in sealer().seal(opened(seconds), b"", 0):
        segment = segment_of(sealed)
        classes = {SIGNALS[signal_id].driver for signal_id in segment.block.columns}
        assert classes == {segment.driver_class}


@given(SECONDS, st.booleans(), st.booleans())
def test_everything_sealed_hangs_on_one_chain(
    seconds: list[dict[int, int]], restarted: bool, overflowed: bool
) -> None:
    one = opened(seconds, seq=4, gap_from_ms=T0 - 9_000 if restarted else None)
    dropped = Dropped(T0 - 99_000, T0 - 50_000) if overflowed else None
    sealed = sealer().seal(one, bytes(32), 0, dropped)

    prevs = [read_prev(s) for s in sealed]
    assert prevs == [bytes(32), *(s.digest for s in sealed[:-1])]
    assert [s.seq for s in sealed] == list(range(4, 4 + len(sealed)))
    assert (sealed[0].kind is Kind.GAP) is restarted
    assert (sealed[-1].kind is Kind.GAP) is overflowed


def read_prev(sealed: Sealed) -> bytes:
    payload = sign1.parse(sealed.raw).payload
    if sealed.kind is Kind.SEGMENT:
        return read_segment_strict(payload).prev
    return gap_statement.decode(payload).prev


def test_the_gap_of_a_start_reaches_from_the_last_sample_to_the_first() -> None:
    sealed = sealer().seal(opened([{SPEED: 1}], gap_from_ms=T0 - 9_000), b"", 0)
    gap = gap_statement.decode(sign1.parse(sealed[0].raw).payload)

    assert (gap.from_ms, gap.to_ms, gap.cause) == (T0 - 9_000, T0, gap_statement.CAUSE_RESTART)


def test_a_clock_that_went_back_makes_an_empty_gap_and_no_nonsense() -> None:
    sealed = sealer().seal(opened([{SPEED: 1}], gap_from_ms=T0 + 9_000), b"", 0)
    gap = gap_statement.decode(sign1.parse(sealed[0].raw).payload)

    assert gap.from_ms == gap.to_ms == T0


def test_what_a_full_outbox_drops_lies_wholly_in_its_gap() -> None:
    sealed = sealer().seal(opened([{SPEED: 1}]), b"", 0, Dropped(T0 - 60_000, T0 - 1_000))
    gap = gap_statement.decode(sign1.parse(sealed[-1].raw).payload)

    assert gap.cause == gap_statement.CAUSE_DROPPED
    assert gap.from_ms < T0 - 60_000
    assert gap.to_ms > T0 - 1_000


def test_events_keep_their_time_when_the_vehicles_samples_begin_later() -> None:
    one = opened([{WORKING_STATE: 3}, {}, {SPEED: 1}])
    one.events.append(SegmentEvent(2_500, 1))
    vehicle, driver = (segment_of(sealed) for sealed in sealer().seal(one, b"", FLAG_RECOVERED))

    assert vehicle.t0 + vehicle.events[0].offset_ms == T0 + 2_500
    assert vehicle.mono == 7 + 2_000
    assert (driver.t0, driver.mono, driver.events) == (T0, 7, ())
    assert {vehicle.flags, driver.flags} == {FLAG_RECOVERED}


def test_an_event_without_samples_of_the_vehicle_is_still_sealed() -> None:
    one = opened([{WORKING_STATE: 3}])
    one.events.append(SegmentEvent(0, 1))
    vehicle = segment_of(sealer().seal(one, b"", 0)[0])

    assert vehicle.block.columns == {}
    assert vehicle.events == (SegmentEvent(0, 1),)


def test_a_sealed_segment_verifies_with_the_devices_key() -> None:
    signer = SoftwareSigner.generate()
    sealed = sealer(signer).seal(opened([{SPEED: 1}]), b"", 0)[0]

    sign1.verify(sign1.parse(sealed.raw), signer.public)


def test_equal_intervals_are_a_step_and_others_are_offsets() -> None:
    def times(*seconds: int) -> tuple[int | None, bool]:
        block = block_of([Sample(T0 + 1_000 * s, {SPEED: 1}) for s in seconds])
        return block.step_ms, block.offsets is not None

    assert times(0) == (1_000, False)
    assert times(0, 5) == (5_000, False)
    assert times(0, 1, 2) == (1_000, False)
    assert times(0, 1, 3) == (None, True)


@given(st.lists(st.integers(1, 128), min_size=1, max_size=40), st.integers(1, SAMPLES_MAX))
def test_a_segment_is_cut_before_any_limit(widths: list[int], samples_max: int) -> None:
    """Worst case: every column jumps from end to end of 64 bits in every second."""
    one = OpenSegment(BOOT, 0, T0, 0, ClockQuality(0, 0))
    extremes = itertools.cycle((2**61, -(2**61)))
    for second in range(2_000):
        value = next(extremes)
        width = widths[second % len(widths)]
        sample = Sample(T0 + second * 1_000, dict.fromkeys(range(1_000, 1_000 + width), value))
        if one.must_cut_before(sample, samples_max):
            break
        one.add(sample)

    assert 1 <= len(one.samples) <= samples_max
    assert len(sealer().seal(one, b"", 0)) == 1


def test_sixty_seconds_of_a_hundred_signals_fit_one_segment() -> None:
    one = opened([{SPEED: 1}])
    for second in range(1, 60):
        sample = Sample(T0 + second * 1_000, dict.fromkeys(range(1, 101), second))
        assert not one.must_cut_before(sample, 60)
        one.add(sample)

    assert one.must_cut_before(Sample(T0 + 60_000, {SPEED: 1}), 60)


def test_a_long_silence_or_a_time_that_goes_back_cuts() -> None:
    one = opened([{SPEED: 1}, {RPM: 2}])

    assert not one.must_cut_before(Sample(T0 + 20_000, {SPEED: 1}), 60)
    assert one.must_cut_before(Sample(T0 + 31_000, {SPEED: 1}), 60)
    assert one.must_cut_before(Sample(T0 + 1_000, {SPEED: 1}), 60)


def test_events_are_cut_by_number_and_by_the_size_of_their_details() -> None:
    one = opened([{SPEED: 1}])
    one.events.extend(SegmentEvent(0, 1, {}) for _ in range(255))
    assert not one.must_cut_before_event({})

    one.events.append(SegmentEvent(0, 1, {}))
    assert one.must_cut_before_event({})
    assert opened([{SPEED: 1}]).must_cut_before_event({1: "x" * 4_096})
