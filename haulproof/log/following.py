"""How ``monitor`` and ``mirror`` go on: look after look, through absences, up to a fork."""

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from exchange.exits import CommandStopped, EnvironmentUnfit
from haulproof.log.fork_file import write_fork
from haulproof.log.telling import complain, say, sentence_of
from ledger.verified_tree import LogForked


def follow(
    command: str, look: Callable[[], None], options: Namespace, place: Path, *, once: bool
) -> int:
    """Look once, or every ``options.every`` seconds until interrupted; the exit code.

    ``place`` is the file or folder that is kept, and beside it goes the proof of a fork. While
    nobody answers or the disk is full, it is told and tried again; ``CommandStopped`` ends it.
    """
    while True:
        try:
            look()
        except LogForked as forked:
            return _forked(command, forked, place, as_json=options.json)
        except Exception as error:
            stopped = sentence_of(error, options.url, place)
            if once or not isinstance(stopped, EnvironmentUnfit):
                raise stopped from error
            complain(command, stopped)
        if once:
            return 0
        time.sleep(options.every)


def _forked(command: str, forked: LogForked, beside: Path, *, as_json: bool) -> int:
    path = write_fork(forked, beside)
    if as_json:
        found = {"origin": forked.newer.head.origin, "forked": True, "fork_file": str(path)}
        say(found, "", as_json=True)
    return complain(
        command,
        CommandStopped(f"{forked}. Both are in {path}: show it to everyone who reads the log"),
    )
