"""How a process of the exchange tells the supervisor that it works, or why it cannot work now."""

import os
from contextlib import suppress

READY_DESCRIPTOR = "HAULPROOF_READY_FD"
READY = "ready"
_SENTENCE_BYTES_MAX = 2048


class _Wire:
    """The way to the supervisor, and what went over it last."""

    said = ""

    def say(self, line: str) -> None:
        descriptor = os.environ.get(READY_DESCRIPTOR, "")
        if not descriptor or line == self.said:
            return
        self.said = line
        with suppress(BrokenPipeError):
            os.write(int(descriptor), line.encode()[:_SENTENCE_BYTES_MAX] + b"\n")


_WIRE = _Wire()


def tell_ready() -> None:
    """Say that it works, once; processes that nobody waits for say nothing."""
    _WIRE.say(READY)


def tell_unfit(sentence: str) -> None:
    """Say why this process can't work here or now, in the sentence that the operator shall read."""
    _WIRE.say(sentence)
