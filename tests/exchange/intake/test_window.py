"""The window between one MQTT session and its workers, by every order of what can happen."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exchange.intake.window import Held, Window

MESSAGES_MAX = 6
WORKERS = st.integers(1, 3)


class WindowMachine(RuleBasedStateMachine):
    """Against the simplest account of it: a set of what waits, and one for each worker."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(messages_max=MESSAGES_MAX, bytes_max=1_000)
        self.packets = 0
        self.waiting: set[int] = set()
        self.in_hand: dict[int, dict[int, int]] = {1: {}, 2: {}, 3: {}}
        self.stale: list[tuple[int, int]] = []

    @rule(size=st.integers(0, 300))
    def a_message_arrives(self, size: int) -> None:
        if self.window.full:
            return
        self.packets += 1
        self.window.arrive(Held(self.packets, "hp/v1/a/b/seg", bytes(size), 0))
        self.waiting.add(self.packets)

    @rule(worker=WORKERS, most=st.integers(1, 4), bytes_max=st.integers(0, 500))
    def a_worker_takes(self, worker: int, most: int, bytes_max: int) -> None:
        had = len(self.waiting)
        taken = self.window.take(worker, most, bytes_max)
        assert bool(taken) == bool(had)
        assert len(taken) <= most
        assert len(taken) == 1 or sum(len(held.payload) for _, held in taken) <= bytes_max
        for token, held in taken:
            self.waiting.remove(held.packet_id)
            self.in_hand[worker][token] = held.packet_id

    @rule(worker=WORKERS, data=st.data())
    def a_worker_settles(self, worker: int, data: st.DataObject) -> None:
        held = self.in_hand[worker]
        tokens = data.draw(st.lists(st.sampled_from(sorted(held)), unique=True)) if held else []
        expected = [held.pop(token) for token in tokens]
        assert self.window.settle(worker, tokens) == expected
        self.stale += [(worker, token) for token in tokens]

    @rule(worker=WORKERS)
    def a_worker_dies(self, worker: int) -> None:
        self.window.give_back(worker)
        self.waiting |= set(self.in_hand[worker].values())
        self.stale += [(worker, token) for token in self.in_hand[worker]]
        self.in_hand[worker] = {}

    @rule()
    def the_session_ends(self) -> None:
        self.window.end_session()
        self.waiting = set()
        for worker, held in self.in_hand.items():
            self.stale += [(worker, token) for token in held]
            self.in_hand[worker] = {}

    @rule()
    def what_is_no_longer_in_hand_settles_nothing(self) -> None:
        for worker, token in self.stale:
            if token not in self.in_hand[worker]:
                assert self.window.settle(worker, [token]) == []

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        assert self.window.waiting == len(self.waiting)
        held = len(self.waiting) + sum(len(one) for one in self.in_hand.values())
        assert held <= MESSAGES_MAX
        if held == MESSAGES_MAX:
            assert self.window.full
        if held == 0:
            assert not self.window.full


TestWindow = WindowMachine.TestCase
