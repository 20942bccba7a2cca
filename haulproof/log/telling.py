"""What a person or a program is told: progress, one line for each look, one sentence at the end."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exchange.exits import CommandStopped, EnvironmentUnfit
from exchange.private_files import unfit
from ledger.copying import CopyDamaged
from ledger.tile_directory import DirectoryBusy, TileConflict
from ledger.verified_tree import LogForked, LogUnsound, NotPublished

PROGRESS_EVERY_S = 2.0
_SHOWN_MAX = 200


class Progress:
    """Says every two seconds how far a long piece of work has come; nothing of a short one."""

    def __init__(
        self,
        command: str,
        doing: str,
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._text = f"haulproof log {command}: {doing}"
        self._total = total
        self._clock = clock
        self._next_s = clock() + PROGRESS_EVERY_S

    def __call__(self, done: int) -> None:
        """So many are done."""
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + PROGRESS_EVERY_S
            print(f"{self._text} {done:,} of {self._total:,} …", file=sys.stderr, flush=True)


def sentence_of(error: Exception, where: str, folder: Path) -> CommandStopped:
    """What ends a command, as a sentence and an exit code.

    ``where`` is the log's address, ``folder`` where something is written. What is no failure that
    can be expected passes through.
    """
    match error:
        case CommandStopped():
            return error
        case NotPublished(path="checkpoint"):
            return EnvironmentUnfit(f"{where} has no checkpoint: check the address, or wait for it")
        case NotPublished():
            return CommandStopped(
                f"{error} at {where}, but a signed checkpoint covers it: ask who runs the log"
            )
        case LogUnsound():
            return CommandStopped(f"{error}, at {where}: ask who runs the log, and keep its answer")
        case LogForked() | CopyDamaged():
            return CommandStopped(str(error))
        case TileConflict():
            return CommandStopped(f"{error}: choose another folder, or find out which is right")
        case DirectoryBusy():
            return EnvironmentUnfit(f"{error} by another process: wait for it, or end it")
        case OSError():
            return unfit(Path(str(error.filename or folder)), error)
    raise error


def shown(text: str) -> str:
    """Text from outside, cut short, and without what would steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_SHOWN_MAX])


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def say(members: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    """One look: a line for people or an object for programs."""
    print(json.dumps(members) if as_json else line, flush=True)


def complain(command: str, stopped: CommandStopped) -> int:
    """The sentence on standard error; its exit code."""
    print(f"haulproof log {command}: {stopped}", file=sys.stderr, flush=True)
    return stopped.code
