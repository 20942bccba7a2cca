"""How much is kept of what is refused."""

from exchange.intake.model import Refused
from exchange.intake.quarantine import (
    DEVICE_DIGESTS_MAX,
    DEVICE_MESSAGES_MAX,
    TOTAL_BYTES_MAX,
    Keep,
    Kept,
    file_refusals,
    keep_of,
)
from exchange.intake.verification import refused
from schemas.errors import Reason
from tests.exchange.intake.trucks import Truck

DEVICE = ("acme", "dev-1")


def a_refusal(payload: bytes) -> Refused:
    return refused(Truck().message(payload), Reason.MALFORMED, "")


def test_bytes_are_kept_while_there_is_room_then_digests_then_counts() -> None:
    full = Kept(messages=DEVICE_MESSAGES_MAX, digests=DEVICE_MESSAGES_MAX)

    assert keep_of(Kept(), Kept(), 100) is Keep.BYTES
    assert keep_of(Kept(), Kept(bytes=TOTAL_BYTES_MAX - 100), 100) is Keep.BYTES
    assert keep_of(Kept(), Kept(bytes=TOTAL_BYTES_MAX - 99), 100) is Keep.DIGEST
    assert keep_of(full, Kept(), 1) is Keep.DIGEST
    assert keep_of(Kept(digests=DEVICE_DIGESTS_MAX), full, 1) is Keep.BYTES
    assert (
        keep_of(Kept(messages=DEVICE_MESSAGES_MAX, digests=DEVICE_DIGESTS_MAX), Kept(), 1)
        is Keep.COUNT
    )


def test_the_limit_is_met_within_a_batch() -> None:
    had = Kept(digests=10, messages=DEVICE_MESSAGES_MAX - 2, bytes=7)

    filing = file_refusals([a_refusal(bytes([n])) for n in range(4)], set(), {DEVICE: had}, had)

    assert [one.keep for one in filing.new] == [Keep.BYTES] * 2 + [Keep.DIGEST] * 2
    assert filing.kept == {DEVICE: Kept(14, DEVICE_MESSAGES_MAX, 9)}
    assert filing.total == Kept(14, DEVICE_MESSAGES_MAX, 9)


def test_what_comes_again_is_one_message_counted() -> None:
    refusals = [a_refusal(payload) for payload in (b"a", b"b", b"a", b"c")]
    known = {(*DEVICE, refusals[1].digest)}

    filing = file_refusals(refusals, known, {}, Kept())

    assert [(one.digest, one.times) for one in filing.new] == [
        (refusals[0].digest, 2),
        (refusals[3].digest, 1),
    ]
    assert filing.again == {(*DEVICE, refusals[1].digest): (refusals[1], 1)}
    assert filing.total == Kept(2, 2, 2)
