"""How many messages go into one transaction: as many as a quarter of a second takes.

A larger batch shares the cost of a commit among more segments; a longer one makes every receipt of
it wait, holds the tree's head for longer, and comes again from the broker when it takes longer than
the broker waits. How long a batch takes depends on the machine, so it is measured. Pure.
"""

from dataclasses import dataclass

TARGET_S = 0.25
_FIRST = 250
_LEAST = 50
_GROWTH = 1.5


@dataclass(slots=True)
class BatchSize:
    """The number of messages to ask for next, at most ``messages_max``."""

    messages_max: int
    messages: int = 0

    def __post_init__(self) -> None:
        self.messages = min(_FIRST, self.messages_max)

    def took(self, messages: int, seconds: float) -> None:
        """Learn from a batch: a full and quick one makes room, a slow one takes it back."""
        if seconds > TARGET_S:
            fitting = int(messages * TARGET_S / seconds)
            self.messages = max(min(self.messages, fitting), min(_LEAST, self.messages_max))
        elif messages >= self.messages and seconds * _GROWTH <= TARGET_S:
            self.messages = min(int(self.messages * _GROWTH) + 1, self.messages_max)
