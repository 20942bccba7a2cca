"""How many messages go into one transaction, and how long they are collected. Pure.

As many as a quarter of a second takes. A larger batch shares the cost of a commit among more
segments; a longer one makes every receipt of it wait, holds the tree's head for longer, and comes
again from the broker when it takes longer than the broker waits. How long a batch takes depends on
the machine, so it is measured.

A batch of few costs nearly what one of many does. So a worker that is busy with them collects for
longer: four times as long as the last one took, up to 200 ms. One that has little to do does not.
"""

from dataclasses import dataclass, field

TARGET_S = 0.25
AGE_S_MAX = 0.2
_REST = 4
_FIRST = 250
_LEAST = 50
_GROWTH = 1.5


@dataclass(slots=True)
class BatchSize:
    """The number of messages to ask for next, at most ``messages_max``, and how long to wait."""

    messages_max: int
    age_least_s: float
    messages: int = field(init=False)
    age_s: float = field(init=False)
    """From the first message of a batch until it is taken as it is."""

    def __post_init__(self) -> None:
        self.messages = min(_FIRST, self.messages_max)
        self.age_s = self.age_least_s

    def took(self, messages: int, seconds: float) -> None:
        """Learn from a batch: a full and quick one makes room, a slow one takes it back."""
        self.age_s = max(self.age_least_s, min(_REST * seconds, AGE_S_MAX))
        if seconds > TARGET_S:
            fitting = int(messages * TARGET_S / seconds)
            self.messages = max(min(self.messages, fitting), min(_LEAST, self.messages_max))
        elif messages >= self.messages and seconds * _GROWTH <= TARGET_S:
            self.messages = min(int(self.messages * _GROWTH) + 1, self.messages_max)
