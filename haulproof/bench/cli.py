"""``haulproof bench``: measure, and print each figure beside its limit from the same run."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from nats.errors import Error as BrokerError

from exchange.exits import CommandStopped
from haulproof.bench import intake, latency, ledger, overload, record, verify
from haulproof.bench.report.page import sections
from haulproof.bench.telling import Telling
from haulproof.demo.processes import PartFailed, end_in_order_when_told
from haulproof.parser import Parser

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_ENVIRONMENT = 0, 1, 2, 3

_NAMES = ("intake", "latency", "overload", "ledger", "verify", "all")
_WITHOUT_FLEET = ("ledger", "verify")
_DEVICES = 2, 10_000
_SECONDS = 0.1, 3_600
_RATE_PER_S = 0.1, 100_000
_SEGMENTS = 1, 100_000_000
_LEAVES = 1_000, 10_000_000
_TRIP_SEGMENTS_MAX = 4_096

_EXAMPLES = """\
examples:
  haulproof bench intake
  haulproof bench intake --devices 2000 --seconds 120 --json
  haulproof bench intake --segments 1000000       memory before and after a million
  haulproof bench latency --rate 2000
  haulproof bench overload --seconds 20 --json
  haulproof bench ledger --leaves 1000000 --json
  haulproof bench verify --segments 1000 --json
  haulproof bench all --markdown docs/benchmarks.md
  haulproof bench all --from docs/benchmarks.json --markdown docs/benchmarks.md"""


class _NoRecord(Exception):
    """A file that is no earlier run; the text says what to do."""


def main(argv: Sequence[str]) -> int:
    """Run one benchmark, or all of them."""
    parser = _parser()
    options = parser.parse_args(argv)
    _check(options, parser)
    end_in_order_when_told()
    try:
        figures = _figures(options, Telling())
        if options.markdown is not None:
            record.write_page(figures, options.markdown)
    except _NoRecord as wrong:
        return _refuse(str(wrong), EXIT_USAGE)
    except (PartFailed, CommandStopped) as failed:
        return _refuse(str(failed), EXIT_ENVIRONMENT)
    except TimeoutError as stuck:
        return _refuse(f"nothing moved any more, try fewer --devices: {stuck}", EXIT_FAILED)
    except (OSError, psycopg.Error, BrokerError) as error:
        sentence = f"broker, database or disk failed the bench, see that they have room: {error}"
        return _refuse(sentence, EXIT_ENVIRONMENT)
    print(json.dumps(figures) if options.json else _shown(figures))
    return EXIT_DONE


def _figures(options: argparse.Namespace, telling: Telling) -> dict[str, Any]:
    if options.earlier is not None:
        return _read(options.earlier)
    if options.name in _WITHOUT_FLEET:
        return _without_fleet(options, telling)
    sizes = {"devices": options.devices, "seconds": options.seconds}
    sizes["warm_up_segments"] = options.warm_up
    given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if options.name == "latency":
        return latency.run(latency.LatencyBench(rate_per_s=options.rate, **given), telling)
    if options.name == "overload":
        return overload.run(overload.OverloadBench(**given), telling)
    given["segments"] = options.segments
    if options.name == "intake":
        return intake.run(intake.IntakeBench(**given), telling)
    return record.run(record.Record(**given), telling)


def _without_fleet(options: argparse.Namespace, telling: Telling) -> dict[str, Any]:
    sizes = {"seconds": options.seconds, "leaves": options.leaves, "segments": options.segments}
    given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if options.name == "ledger":
        return ledger.run(ledger.LedgerBench(**given), telling)
    return verify.run(verify.VerifyBench(**given), telling)


def _check(options: argparse.Namespace, parser: Parser) -> None:
    fleets = options.devices is not None or options.warm_up is not None
    if fleets and options.name in _WITHOUT_FLEET:
        parser.error(f"--devices and --warm-up are a fleet's: bench {options.name} has none")
    if options.leaves is not None and options.name != "ledger":
        parser.error("--leaves belongs to bench ledger")
    if options.rate is not None and options.name != "latency":
        parser.error("--rate belongs to bench latency")
    if options.segments is not None and options.name not in ("intake", "verify", "all"):
        parser.error("--segments belongs to bench intake, bench verify and bench all")
    if options.name == "verify" and (options.segments or 1) > _TRIP_SEGMENTS_MAX:
        parser.error(f"a trip has at most {_TRIP_SEGMENTS_MAX:,} segments")
    if (options.markdown or options.earlier) and options.name != "all":
        parser.error("--markdown and --from belong to bench all")
    if options.markdown is not None and not options.markdown.parent.is_dir():
        parser.error(f"there is no folder {options.markdown.parent}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _NoRecord(f"{path} cannot be read as an earlier run: {error}") from None
    if not isinstance(document, dict) or document.get("format") != record.FORMAT:
        raise _NoRecord(f"{path} is no run of this version's bench all: run it again")
    return document


def _shown(figures: dict[str, Any]) -> str:
    benches = figures.get("benches", {figures.get("name"): figures})
    return "\n".join(sections(benches)).strip()


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof bench: {sentence}", file=sys.stderr)
    return code


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], Any]:
    """A reader of numbers from ``least`` to ``most``, both included."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if least <= (number := kind(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(f"a number from {least:g} to {most:,g}, not {text}")

    return read


def _parser() -> Parser:
    parser = Parser(
        "haulproof bench",
        "Every figure in the docs comes from here. Each bench starts what it needs in a temporary "
        "folder and removes it again.",
        _EXAMPLES,
    )
    parser.add_argument(
        "name",
        nargs="?",
        default="intake",
        choices=_NAMES,
        help="intake: segments per second; latency: from sending to the receipt; overload: three "
        "times the capacity; ledger: the log alone; verify: evidence of a long trip; all: each",
    )
    parser.add_argument("--devices", type=_number(int, *_DEVICES), help="devices in the fleet")
    parser.add_argument(
        "--seconds", type=_number(float, *_SECONDS), help="how long the load should last"
    )
    parser.add_argument(
        "--segments",
        type=_number(int, *_SEGMENTS),
        help="intake: so many segments, however long they take; verify: segments of the trip",
    )
    parser.add_argument(
        "--leaves", type=_number(int, *_LEAVES), help="ledger: leaves to append (default 1000000)"
    )
    parser.add_argument(
        "--rate",
        type=_number(float, *_RATE_PER_S),
        help="latency: segments per second (default: half of capacity)",
    )
    parser.add_argument(
        "--warm-up", type=_number(int, *_SEGMENTS), help="segments before anything is measured"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="all: write the page, and FILE's .json"
    )
    parser.add_argument(
        "--from",
        dest="earlier",
        type=Path,
        metavar="FILE",
        help="all: measure nothing, take an earlier run's .json",
    )
    return parser
