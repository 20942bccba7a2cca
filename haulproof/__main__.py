"""``haulproof``: finds the part that a command belongs to, and loads that part alone.

Each part has its own command line and is loaded only when called: ``haulproof verify`` needs cbor2
and cryptography, the truck needs no web framework.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

EXIT_DONE, EXIT_NOT, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


@dataclass(frozen=True, slots=True)
class Command:
    """A first word: the module whose ``main(argv) -> int`` serves it."""

    name: str
    module: str
    extra: str
    summary: str
    keeps_word: bool = False
    """Whether the module's own command line begins with this word, serving several."""


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "demo",
            "haulproof.demo.cli",
            "agent,exchange,sim",
            "the main job once, on embedded parts",
        ),
        Command("up", "exchange.cli", "exchange", "run an exchange until Ctrl-C", True),
        Command("org", "exchange.cli", "exchange", "organisations and their keys", True),
        Command("device", "exchange.cli", "exchange", "admit a truck's device", True),
        Command("grant", "exchange.cli", "exchange", "who may read what", True),
        Command("trip", "exchange.cli", "exchange", "list trips, pull their evidence", True),
        Command("broker", "exchange.cli", "exchange", "files for a broker of your own", True),
        Command("agent", "edge_agent.cli", "agent", "the edge agent on a truck"),
        Command("sim", "firmware_sim.cli", "sim", "the truck on the bench"),
        Command("log", "haulproof.log.cli", "exchange", "cosign a log, follow it, keep a copy"),
        Command("verify", "haulproof.verify", "verify", "check evidence offline"),
        Command("bench", "haulproof.bench.cli", "agent,exchange,sim", "every figure in the docs"),
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is that of DESIGN section 11."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NOT


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return EXIT_DONE if words else EXIT_USAGE
    if words[0] in ("-V", "--version"):
        metadata = importlib.import_module("importlib.metadata")
        print(f"haulproof {metadata.version('haulproof')}")
        return EXIT_DONE
    command = COMMANDS.get(words[0])
    if command is None:
        return _refuse(f"there is no command {words[0]}: see haulproof --help", EXIT_USAGE)
    try:
        # A part loads a command's own module only when it serves it, so both may find one missing.
        code: int = importlib.import_module(command.module).main(
            words if command.keeps_word else words[1:]
        )
    except ModuleNotFoundError as missing:
        install = f"pip install 'haulproof[{command.extra}]'"
        return _refuse(
            f"haulproof {command.name} needs {missing.name}, which is not installed: {install}",
            EXIT_ENVIRONMENT,
        )
    return code


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof: {sentence}", file=sys.stderr)
    return code


def _help() -> str:
    lines = [
        "usage: haulproof COMMAND ...",
        "",
        "Freight vehicle data that proves itself: signed on the truck, committed to a",
        "transparency log, checked offline by whoever reads it.",
        "",
        *(f"  {command.name:<8}{command.summary}" for command in COMMANDS.values()),
        "",
        "haulproof COMMAND --help tells more; begin with haulproof demo.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
