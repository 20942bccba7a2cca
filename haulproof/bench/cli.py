"""``haulproof bench``: measure, and print each figure beside its limit from the same run."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from exchange.exits import CommandStopped
from haulproof.bench.intake import IntakeBench, run
from haulproof.demo.processes import PartFailed, end_in_order_when_told
from haulproof.parser import Parser

EXIT_DONE, EXIT_FAILED, EXIT_ENVIRONMENT = 0, 1, 3

_DEVICES_MAX = 100_000
_SECONDS_MAX = 3_600

_EXAMPLES = """\
examples:
  haulproof bench intake
  haulproof bench intake --devices 2000 --seconds 120 --json"""


def main(argv: Sequence[str]) -> int:
    """Run one benchmark."""
    options = _parser().parse_args(argv)
    end_in_order_when_told()
    try:
        figures = run(IntakeBench(options.devices, options.seconds), _tell)
    except (PartFailed, CommandStopped) as failed:
        print(f"haulproof bench: {failed}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    except TimeoutError as stuck:
        print(f"haulproof bench: intake stood still: {stuck}", file=sys.stderr)
        return EXIT_FAILED
    print(json.dumps(figures) if options.json else _table(figures))
    return EXIT_DONE


def _tell(sentence: str) -> None:
    print(f"  {sentence} ...", file=sys.stderr, flush=True)


def _table(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['segments_per_s']:>12,.0f}  segments/s, each with its receipt sent",
        f"{figures['verify_per_s']:>12,.0f}  bare ES256 verifications/s of the same bytes",
        f"{figures['ratio']:>12.2f}  of that limit, on {figures['cores']} cores, broker and "
        "database included",
        f"{figures['segments']:>12,}  segments of {figures['devices']} devices in "
        f"{figures['seconds']} s, {figures['segment_bytes_mean']} bytes each",
        "PostgreSQL: " + ", ".join(f"{n} {is_}" for n, is_ in figures["postgresql"].items()),
        "CPU µs a segment:",
        *(f"{spent:>12.1f}  {part}" for part, spent in figures["cpu_us_per_segment"].items()),
    ]
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser("haulproof bench", "Every figure in the docs comes from here.", _EXAMPLES)
    parser.add_argument("name", nargs="?", default="intake", choices=["intake"])
    parser.add_argument("--devices", type=_devices, default=1_000, help="devices in the fleet")
    parser.add_argument(
        "--seconds", type=_seconds, default=60, help="how long the measured load lasts at least"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def _devices(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _DEVICES_MAX:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_DEVICES_MAX}, not {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= _SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"a number above 0, up to {_SECONDS_MAX}, not {text}")
    return number
