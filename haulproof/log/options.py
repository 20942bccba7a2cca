"""Options that several words of ``haulproof log`` share."""

import argparse
import math
from pathlib import Path

from haulproof.parser import Parser

_EVERY_S_MIN, _EVERY_S_MAX = 0.05, 86_400.0


def add_trust(parser: Parser) -> None:
    """``--policy`` and ``--log-key``, as ``haulproof verify`` has them."""
    parser.add_argument("--policy", type=Path, metavar="FILE", help="what you trust (tlog-policy)")
    parser.add_argument("--log-key", metavar="VKEY", help="trust this log key")


def add_every(parser: Parser) -> None:
    """``--every``: seconds between two looks at a log."""
    parser.add_argument(
        "--every", type=_seconds, default=10.0, metavar="S", help="seconds between looks (10)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not _EVERY_S_MIN <= seconds <= _EVERY_S_MAX:
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of seconds from {_EVERY_S_MIN} to {_EVERY_S_MAX:.0f}"
        )
    return seconds
