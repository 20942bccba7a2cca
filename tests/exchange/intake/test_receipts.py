"""Receipts go to who waits for them, under a checkpoint that covers them, in messages that fit."""

import random

from exchange.intake.model import Placed
from exchange.intake.receipts import Answer, Waiting, acks, refusal_answers
from exchange.intake.verification import refused
from exchange.segments.model import Identity
from exchange.transparency.model import Published
from ledger.merkle import root_from_leaf_hashes
from ledger.multiproof import verify_multiproof
from ledger.tiles import TileReader, append
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import Reason
from schemas.wire import ack, refusal
from schemas.wire.ack import ACK_BYTES_MAX, RECEIPTS_MAX
from tests.exchange.intake.trucks import ORIGIN, Truck


class Tree:
    """A tree in memory, read like the published one."""

    def __init__(self, size: int) -> None:
        rng = random.Random(size)
        self.hashes = [rng.randbytes(32) for _ in range(size)]
        made = append(0, {}, self.hashes)
        self.get_node = TileReader(lambda level, n: made.changed[level, n])
        self.newest = Published(b"a note", size, root_from_leaf_hashes(self.hashes))

    def check(self, answers: list[Answer]) -> dict[str, list[int]]:
        """Every message fits and proves what it says; the indices by topic."""
        receipted: dict[str, list[int]] = {}
        for answer in answers:
            assert len(answer.payload) <= ACK_BYTES_MAX
            message = ack.decode(answer.payload)
            assert message.note == self.newest.note
            indices = [one.index for one in message.receipts]
            verify_multiproof(
                {index: self.hashes[index] for index in indices},
                self.newest.size,
                message.hashes,
                self.newest.root,
            )
            receipted.setdefault(answer.topic, []).extend(indices)
        return receipted


def placed(index: int, device: str = "dev-1") -> Placed:
    return Placed(Identity("acme", device, b"bootboot", index), index)


def test_receipts_wait_for_the_checkpoint_that_covers_them() -> None:
    waiting = Waiting()
    waiting.add([placed(5), placed(2), placed(9), placed(5)])

    assert len(waiting) == 3
    assert waiting.take_covered(5) == [placed(2)]
    assert waiting.take_covered(9) == [placed(5)]
    assert waiting.take_covered(9) == []
    assert waiting.take_covered(10) == [placed(9)]


def test_each_device_has_one_message_with_its_own_receipts() -> None:
    tree = Tree(700)
    covered = [placed(i, f"dev-{i % 3}") for i in range(300, 420)]

    receipted = tree.check(acks(tree.newest, covered, tree.get_node))

    assert receipted == {
        f"hp/v1/acme/dev-{n}/ack": [i for i in range(300, 420) if i % 3 == n] for n in range(3)
    }


def test_many_or_scattered_receipts_are_split_into_messages_that_fit() -> None:
    tree = Tree(40_000)
    together = [placed(i) for i in range(2 * RECEIPTS_MAX + 5)]
    scattered = [placed(i) for i in range(0, 40_000, 41)]

    for covered in (together, scattered):
        answers = acks(tree.newest, covered, tree.get_node)
        assert len(answers) >= 2
        assert tree.check(answers) == {"hp/v1/acme/dev-1/ack": [one.index for one in covered]}


def test_nothing_covered_is_no_message() -> None:
    tree = Tree(3)

    assert acks(tree.newest, [], tree.get_node) == []


def test_a_refusal_is_signed_and_names_the_bytes_it_means() -> None:
    truck, signer = Truck(), SoftwareSigner.generate()
    identity = Identity("acme", "dev-1", b"bootboot", 7)
    named = refused(truck.message(b"one"), Reason.EQUIVOCATION, "", identity)
    unreadable = refused(truck.message(b"two"), Reason.UNKNOWN_KEY, "")
    unanswerable = refused(truck.message(b"three", "hp/v1/ACME/x/seg"), Reason.WRONG_TOPIC, "")

    answers = refusal_answers([named, unreadable, unanswerable], signer, "exchange", ORIGIN)

    assert [answer.topic for answer in answers] == ["hp/v1/acme/dev-1/ref"] * 2
    statements = [sign1.parse(answer.payload) for answer in answers]
    for statement in statements:
        sign1.verify(statement, signer.public)
        assert (statement.header.issuer, statement.header.subject) == ("hp:exchange", truck.issuer)
        assert (statement.header.type, statement.header.origin) == ("hp-ref", ORIGIN)
    first, second = (refusal.decode(statement.payload) for statement in statements)
    assert (first.boot, first.seq, first.digest) == (b"bootboot", 7, named.digest)
    assert (first.cause, first.permanent) == ("equivocation", True)
    assert (second.boot, second.seq, second.cause) == (None, None, "unknown-key")
    assert not second.permanent
