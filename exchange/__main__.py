"""One process of an exchange: ``python -m exchange ROLE --dir DIR``, started by ``haulproof up``.

It logs JSON to standard error and ends in order on SIGTERM, which it also gives itself when its
standard input ends: then the supervisor is gone.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from exchange.directory import existing_directory
from exchange.embedded.addresses import completed
from exchange.exits import CommandStopped
from exchange.readiness import tell_unfit
from exchange.roles import MODULES
from exchange.settings import load_settings

_GRACE_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one role; the exit code is the role's, or the environment's when it can't work here."""
    parser = argparse.ArgumentParser(prog="python -m exchange", description=__doc__)
    parser.add_argument("role", choices=sorted(MODULES))
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    told = parser.parse_args(argv)
    _log_as_json()
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    log = structlog.get_logger(told.role)
    try:
        settings = load_settings(told.config, dir=told.dir)
        settings = completed(settings, existing_directory(settings.dir))
        run = importlib.import_module(MODULES[told.role]).run
        code: int = run(settings)
    except CommandStopped as stopped:
        log.error("stopped", detail=str(stopped))
        tell_unfit(str(stopped))
        return stopped.code
    except Exception:
        log.exception("failed")
        return 1
    return code


def _end_with_standard_input() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    sys.exit(main())
