"""Which readings a set of bindings covers, against a search of them all."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.bindings import check_bindings
from ledger.evidence.independent.keyring import Bound, Keyring
from ledger.evidence.independent.statement import read_statement
from ledger.evidence.reasons import Findings
from ledger.evidence.signatures import Reading, Signed
from schemas.kinds import Kind
from schemas.statements.binding import Binding
from tests.ledger.evidence.world import SALT, World, gap_payload

_TIME = st.integers(0, 30)


@given(
    st.lists(st.tuples(_TIME, st.none() | st.integers(1, 10)), max_size=6),
    _TIME,
    st.integers(0, 10),
)
def test_a_time_is_bound_when_any_binding_meets_it(
    spans: list[tuple[int, int | None]], begin: int, length: int
) -> None:
    ends = [None if lasts is None else start + lasts for start, lasts in spans]
    starts = [start for start, _ in spans]
    expected = any(
        start <= begin + length and (end is None or begin < end)
        for start, end in zip(starts, ends, strict=True)
    )

    assert _first(starts, ends, begin, begin + length) is expected
    assert _second(starts, ends, begin, begin + length) is expected


def _first(starts: list[int], ends: list[int | None], begin: int, end: int) -> bool:
    payload = gap_payload(0, begin, end)
    reading = Reading(9, Kind.GAP, bytes(32), "acme", "dev-1", "v-1", begin, payload)
    bindings = [
        (index, "acme", Binding("dev-1", "v-1", from_ms, to_ms, SALT))
        for index, (from_ms, to_ms) in enumerate(zip(starts, ends, strict=True))
    ]
    findings = Findings()
    check_bindings(Signed(bindings=bindings, readings=[reading]), findings)
    return not findings.all()


def _second(starts: list[int], ends: list[int | None], begin: int, end: int) -> bool:
    world = World()
    raw = world.sign(
        world.keys.device, Kind.GAP, "hp:acme/dev-1", "v-1", gap_payload(0, begin, end)
    )
    refused: list[object] = []
    keyring = Keyring(world.origin, {}, refused.append)
    keyring.readings = [read_statement(9, 2, raw)]
    keyring.bindings = [
        Bound(index, "acme", "dev-1", "v-1", from_ms, to_ms)
        for index, (from_ms, to_ms) in enumerate(zip(starts, ends, strict=True))
    ]
    keyring.check_bindings()
    return not refused
