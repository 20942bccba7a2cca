"""The commands of an exchange: one module of ``commands`` each, loaded when called."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from exchange.exits import CommandStopped
from exchange.private_files import unfit

COMMANDS = ("up", "org", "device", "grant", "trip", "broker")
"""Each is a module ``exchange.commands.<name>`` with ``app``, a ``typer.Typer``."""

EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Run one command (its first word is ours); the exit code is that of DESIGN section 11."""
    if not argv or argv[0] not in COMMANDS:
        return _refuse(f"one of {', '.join(COMMANDS)} is expected", EXIT_USAGE)
    name, *rest = argv
    app = importlib.import_module(f"exchange.commands.{name}").app
    command = typer.main.get_command(app)
    try:
        result = command.main(rest, prog_name=f"haulproof {name}", standalone_mode=False)
    except CommandStopped as stopped:
        return _refuse(str(stopped), stopped.code)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except typer.TyperException as wrong:
        said = wrong.format_message().rstrip(".") or "say what to do"
        context = getattr(wrong, "ctx", None)
        path = context.command_path if context else f"haulproof {name}"
        return _refuse(f"{said}: see {path} --help", EXIT_USAGE)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _refuse(str(unfit(Path(str(error.filename or "a file")), error)), EXIT_ENVIRONMENT)
    return result if isinstance(result, int) else 0


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof: {sentence}", file=sys.stderr)
    return code
