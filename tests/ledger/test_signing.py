"""What a log may sign, and what it must never sign again."""

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import TreeHead, open_checkpoint, sign_checkpoint
from ledger.fence import FenceMoved, FenceUncertain
from ledger.merkle import EMPTY_ROOT, consistency_proof
from ledger.note import Ed25519NoteSigner
from ledger.signing import (
    FenceLost,
    ForeignFence,
    ForkedLog,
    LogBehindFence,
    SigningRefused,
    prove_and_sign,
)
from tests.ledger.fences import MemoryFence
from tests.ledger.trees import Tree, leaves

_ORIGIN = "log.example/a"
_SIGNER = Ed25519NoteSigner(_ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
_TREE = Tree(leaves(60))
_OTHER = Tree([bytes(32), *leaves(60)[1:]])


def _head(size: int, tree: Tree = _TREE) -> TreeHead:
    return TreeHead(_ORIGIN, size, tree.root(size))


def _note(size: int, tree: Tree = _TREE) -> bytes:
    return sign_checkpoint(_head(size, tree), _SIGNER)


def _prove(size1: int, size2: int) -> Sequence[bytes]:
    return consistency_proof(_TREE.get_node, size1, size2)


def _sign(head: TreeHead, fence: bytes | None, *, before: bool = True) -> bytes:
    return prove_and_sign(head, fence, _prove, _SIGNER, signed_before=before)


def test_a_log_that_never_signed_signs_its_first_head() -> None:
    note = _sign(_head(7), None, before=False)

    assert _head(7) == open_checkpoint(note, _SIGNER.vkey).head


def test_a_tree_that_grew_is_signed() -> None:
    for older in range(60):
        note = _sign(_head(60), _note(older))
        assert open_checkpoint(note, _SIGNER.vkey).head == _head(60)


def test_a_tree_that_did_not_grow_gives_the_fences_own_note() -> None:
    assert _note(9) == _sign(_head(9), _note(9))
    assert _note(0) == _sign(_head(0), _note(0))


@given(st.integers(1, 60), st.integers(0, 59))
def test_a_tree_shorter_than_the_fence_is_never_signed(fence: int, size: int) -> None:
    if size < fence:
        with pytest.raises(LogBehindFence, match=rf"{size} leaves, but {fence} .*mirror"):
            _sign(_head(size), _note(fence))


@pytest.mark.parametrize("size", [10, 11, 60])
def test_another_history_is_never_signed(size: int) -> None:
    with pytest.raises(ForkedLog, match="no extension"):
        _sign(_head(size, _OTHER), _note(10))


def test_a_wrong_root_of_the_empty_tree_is_a_fork() -> None:
    wrong = TreeHead(_ORIGIN, 0, bytes(32))

    with pytest.raises(ForkedLog):
        _sign(wrong, sign_checkpoint(TreeHead(_ORIGIN, 0, EMPTY_ROOT), _SIGNER))
    with pytest.raises(ForkedLog):
        _sign(_head(5), sign_checkpoint(wrong, _SIGNER))


def test_a_lost_fence_is_not_replaced_silently() -> None:
    with pytest.raises(FenceLost, match="witness or a monitor"):
        _sign(_head(5), None)


def test_a_fence_of_another_log_is_refused() -> None:
    other = Ed25519NoteSigner(_ORIGIN, Ed25519PrivateKey.generate())

    for note in (b"", b"garbage", sign_checkpoint(_head(5), other)):
        with pytest.raises(ForeignFence):
            _sign(_head(5), note)


def test_an_error_while_proving_signs_nothing() -> None:
    def lost_tile(size1: int, size2: int) -> Sequence[bytes]:
        raise LookupError(f"no tile between {size1} and {size2}")

    with pytest.raises(LookupError):
        prove_and_sign(_head(9), _note(5), lost_tile, _SIGNER, signed_before=True)


class Signer:
    """The order of steps around the fence, with the database left out."""

    def __init__(self, fence: MemoryFence) -> None:
        self.fence = fence
        self.published: list[bytes] = []

    def step(self, size: int, tree: Tree = _TREE) -> None:
        held = self.fence.read()
        note = prove_and_sign(
            _head(size, tree),
            held,
            lambda size1, size2: consistency_proof(tree.get_node, size1, size2),
            _SIGNER,
            signed_before=bool(self.published),
        )
        if note != held:
            self.fence.compare_and_swap(held, note)
        self.published.append(note)


def test_after_a_lost_answer_the_fences_note_is_published() -> None:
    signer = Signer(MemoryFence())
    signer.step(5)

    signer.fence.lose_next_answer = True
    with pytest.raises(FenceUncertain):
        signer.step(8)
    assert [_note(5)] == signer.published

    signer.step(8)
    assert [_note(5), _note(8)] == signer.published


def test_after_a_failed_swap_the_log_may_sign_something_larger() -> None:
    signer = Signer(MemoryFence())
    signer.step(5)

    signer.fence.fail_next = True
    with pytest.raises(OSError, match="space"):
        signer.step(8)
    signer.step(9)

    assert [_note(5), _note(9)] == signer.published


def test_two_signers_publish_one_history() -> None:
    fence = MemoryFence()
    first, second = Signer(fence), Signer(fence)
    first.step(5)
    held = fence.read()

    second.step(8)
    with pytest.raises(FenceMoved):
        fence.compare_and_swap(held, _note(7))
    with pytest.raises(SigningRefused):
        first.step(7)
    with pytest.raises(SigningRefused):
        first.step(60, _OTHER)
    first.step(60)

    assert [_note(5), _note(60)] == first.published
