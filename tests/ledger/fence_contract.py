"""What every fence keeps to, whatever store it is in.

A module of tests subclasses ``FenceContract`` and gives two fixtures: ``fence``, a new one, and
``faulty``: a new one, what makes its next swap fail, and what loses the next swap's answer.
"""

from collections.abc import Callable

import pytest

from ledger.fence import Fence, FenceMoved, FenceUncertain

Spoil = Callable[[], None]
Faulty = tuple[Fence, Spoil, Spoil]


class FenceContract:
    """Named ``Test…`` where it is subclassed."""

    def test_a_new_fence_holds_nothing(self, fence: Fence) -> None:
        assert fence.read() is None

    def test_a_swap_from_what_it_holds_is_kept(self, fence: Fence) -> None:
        fence.compare_and_swap(None, b"first")
        fence.compare_and_swap(b"first", b"second")

        assert fence.read() == b"second"

    @pytest.mark.parametrize("expected", [None, b"", b"other"])
    def test_a_swap_from_something_else_is_refused(
        self, fence: Fence, expected: bytes | None
    ) -> None:
        fence.compare_and_swap(None, b"first")

        with pytest.raises(FenceMoved):
            fence.compare_and_swap(expected, b"second")
        assert fence.read() == b"first"

    def test_a_swap_of_an_empty_fence_expects_nothing(self, fence: Fence) -> None:
        with pytest.raises(FenceMoved):
            fence.compare_and_swap(b"first", b"second")
        assert fence.read() is None

    def test_a_failed_swap_leaves_the_value(self, faulty: Faulty) -> None:
        fence, fail, _ = faulty
        fence.compare_and_swap(None, b"first")

        fail()
        with pytest.raises(OSError, match=r"error|space"):
            fence.compare_and_swap(b"first", b"second")

        assert fence.read() == b"first"
        fence.compare_and_swap(b"first", b"third")

    def test_a_swap_whose_answer_is_lost_says_so_and_is_read_again(self, faulty: Faulty) -> None:
        fence, _, lose_answer = faulty
        fence.compare_and_swap(None, b"first")

        lose_answer()
        with pytest.raises(FenceUncertain):
            fence.compare_and_swap(b"first", b"second")

        assert fence.read() == b"second"
        with pytest.raises(FenceMoved):
            fence.compare_and_swap(b"first", b"third")
