"""How a process of the exchange tells the supervisor that it works now, or why it can't."""

import os

READY_DESCRIPTOR = "HAULPROOF_READY_FD"
READY = "ready"
_SENTENCE_BYTES_MAX = 2048


def tell_ready() -> None:
    """Say it once; further calls, and processes that nobody waits for, say nothing."""
    _tell(READY)


def tell_unfit(sentence: str) -> None:
    """Say why this process can't work here, in the sentence that the operator shall read."""
    _tell(sentence)


def _tell(line: str) -> None:
    descriptor = os.environ.pop(READY_DESCRIPTOR, "")
    if not descriptor:
        return
    try:
        os.write(int(descriptor), line.encode()[:_SENTENCE_BYTES_MAX] + b"\n")
    except BrokenPipeError:
        return
    finally:
        os.close(int(descriptor))
