"""A fence in memory, with the two faults that every store has."""

from ledger.fence import FenceMoved, FenceUncertain


class MemoryFence:
    """The port without a disk. ``fail_next`` and ``lose_next_answer`` each spoil one swap."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.fail_next = False
        self.lose_next_answer = False

    def read(self) -> bytes | None:
        return self.value

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        if self.fail_next:
            self.fail_next = False
            raise OSError("no space left")
        if self.value != expected:
            raise FenceMoved("the fence holds another checkpoint")
        self.value = new
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise FenceUncertain("the answer was lost")
