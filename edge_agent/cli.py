"""``agent enrol|run|status|resend|rotate``: the command line of the truck's process."""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import random
import signal
import sqlite3
import ssl
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent import logs
from edge_agent.assembly import assemble
from edge_agent.clock import Clock, SystemClock
from edge_agent.configuration import (
    SOURCE_CLOCK,
    SYSTEM_CLOCK,
    Configuration,
    ConfigurationRefused,
    read_configuration,
)
from edge_agent.enrolment import (
    Enrolment,
    EnrolmentRefused,
    enrol,
    read_enrolment,
    read_key,
    read_request,
)
from edge_agent.outbox import Outbox
from edge_agent.outbox_schema import OutboxUnusable
from edge_agent.rotation import rotate
from edge_agent.run import Ambient, Ending
from edge_agent.sources.port import SourceUrlRefused
from schemas.cose.keys import Signer

OUTBOX_FILE = "outbox.sqlite"
LOCK_FILE = "agent.lock"

DONE, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130

_EXAMPLES = """examples:
  haulproof agent enrol --dir truck --carrier acme --device truck-1 --origin ORIGIN
      the device's key and a request for its carrier; ORIGIN is what haulproof up prints
  haulproof agent run --dir truck --can socketcan:can0 --nmea serial:/dev/ttyUSB0
      on a truck
  haulproof agent run --dir truck --can URL --nmea URL --clock source
      beside haulproof sim truck, which prints both addresses
  haulproof agent status --dir truck
      what is sent, receipted and waiting
  haulproof agent resend --dir truck --since 2026-11-25T04:00Z
      after an exchange was restored: what had its receipt since then is sent again
  haulproof agent rotate --dir truck
      a new key for the device, and a request for its carrier to sign
  haulproof agent rotate --dir truck --again 5f0c...
      another one, when the carrier has revoked the key of the last request; haulproof device
      keys lists its thumbprint
"""

_log = logging.getLogger("edge_agent")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code as DESIGN section 11 has them."""
    arguments = _parser().parse_args(argv)
    logs.set_up()
    folder: Path = arguments.dir
    commands = {
        "enrol": _enrol,
        "run": _run,
        "status": _status,
        "resend": _resend,
        "rotate": _rotate,
    }
    try:
        return commands[arguments.command](folder, arguments)
    except (EnrolmentRefused, ConfigurationRefused, SourceUrlRefused) as error:
        return _say(str(error), USAGE)
    except (OutboxUnusable, ssl.SSLError, sqlite3.Error) as error:
        return _say(f"the agent cannot work in {folder}: {error}", ENVIRONMENT)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        hint = "choose a --dir that this user may write, with room on its disk"
        return _say(f"the agent cannot work in {folder}: {what}; {hint}", ENVIRONMENT)
    except KeyboardInterrupt:
        return INTERRUPTED


def _enrol(folder: Path, arguments: argparse.Namespace) -> int:
    request = enrol(folder, arguments.carrier, arguments.device, arguments.origin)
    if arguments.json:
        print(json.dumps({"request": str(request)}))
    else:
        print(f"{request} is ready; have the carrier run: haulproof device add {request}")
    return DONE


def _run(folder: Path, arguments: argparse.Namespace) -> int:
    overrides = {
        "can": arguments.can,
        "nmea": arguments.nmea,
        "clock": arguments.clock,
        "drain_timeout_s": arguments.drain_timeout,
        "resend_after_s": arguments.resend_after,
    }
    configuration = read_configuration(folder, overrides)
    if not configuration.can and not configuration.nmea:
        raise ConfigurationRefused("the agent has nothing to listen to; give --can or --nmea")
    enrolment, signer = read_enrolment(folder), read_key(folder)
    with _locked(folder):
        ending = asyncio.run(_until_end(folder, configuration, enrolment, signer))
    if arguments.json:
        print(json.dumps(_summary(ending)))
    return _exit_code(ending, configuration, folder)


async def _until_end(
    folder: Path, configuration: Configuration, enrolment: Enrolment, signer: Signer
) -> Ending:
    ambient = Ambient(SystemClock(), os.urandom, random.SystemRandom().random)
    with ThreadPoolExecutor(1, "outbox") as thread:
        outbox = thread.submit(Outbox.open, folder / OUTBOX_FILE).result()
        try:
            run = assemble(configuration, enrolment, signer, outbox, thread, ambient)
            return await run.until_end()
        finally:
            thread.submit(outbox.close).result()


def _exit_code(ending: Ending, configuration: Configuration, folder: Path) -> int:
    if ending.interrupted is signal.SIGINT:
        return INTERRUPTED
    if ending.interrupted is not None:
        return DONE
    if ending.lost is not None:
        return _say(
            f"{ending.lost}; see that it is running, and start the agent again", ENVIRONMENT
        )
    if ending.samples == 0:
        where = ", ".join((*configuration.can, *configuration.nmea))
        text = f"no known signal was seen on {where}; it must carry J1939, OBD-II or NMEA 0183 data"
        return _say(text, USAGE)
    if ending.waiting:
        text = f"{ending.waiting} statements have no receipt yet and stay in {folder / OUTBOX_FILE}"
        return _say(f"{text}; see that the exchange is up, and start the agent again", ENVIRONMENT)
    _log.info("done", extra=_summary(ending))
    return DONE


def _status(folder: Path, arguments: argparse.Namespace) -> int:
    status = read_status(folder, SystemClock())
    if arguments.json:
        print(json.dumps(status))
    else:
        for key, value in status.items():
            print(f"{key.replace('_', ' ')}: {'-' if value is None else value}")
    return DONE


def _resend(folder: Path, arguments: argparse.Namespace) -> int:
    """For an exchange that was restored; the agent itself must not be running."""
    since = _moment(arguments.since)
    read_request(folder)
    count = 0
    with _locked(folder):
        if (folder / OUTBOX_FILE).exists():
            outbox = Outbox.open(folder / OUTBOX_FILE)
            try:
                count = outbox.send_again(since, round(SystemClock().utc_ms()))
            finally:
                outbox.close()
    if arguments.json:
        print(json.dumps({"resend": count}))
    else:
        print(f"{count} statements are sent again once the agent runs")
    return DONE


def _rotate(folder: Path, arguments: argparse.Namespace) -> int:
    """The agent itself must not be running; it signs with the new key from its next start on."""
    read_request(folder)
    with _locked(folder), contextlib.closing(Outbox.open(folder / OUTBOX_FILE)) as outbox:
        rotation = rotate(folder, outbox, arguments.again)
    if arguments.json:
        print(json.dumps({"rotation": str(rotation)}))
    else:
        print(f"{rotation} is ready; have the carrier run: haulproof device rotate {rotation}")
    return DONE


def _moment(text: str) -> int:
    """UTC ms of an ISO 8601 time with its zone."""
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationRefused("--since is a time with its zone, like 2026-11-25T04:00Z")
    return int(moment.timestamp() * 1_000)


def read_status(folder: Path, clock: Clock) -> dict[str, Any]:
    """What the folder says of its agent; ``EnrolmentRefused`` when there is none in it."""
    request = read_request(folder)
    status: dict[str, Any] = {
        "seconds_since_receipt": None,
        "device": request.issuer,
        "origin": request.origin,
        "running": _is_locked(folder),
    }
    path = folder / OUTBOX_FILE
    if path.exists():
        outbox = Outbox.open(path)
        try:
            receipt_ms = outbox.last_receipt_ms()
            if receipt_ms is not None:
                status["seconds_since_receipt"] = round((clock.utc_ms() - receipt_ms) / 1_000, 1)
            backlog = outbox.backlog()
            status |= {
                "waiting": backlog.statements,
                "waiting_bytes": backlog.size,
                **outbox.counts(),
            }
        finally:
            outbox.close()
    return status


def _summary(ending: Ending) -> dict[str, Any]:
    summary = asdict(ending)
    summary["interrupted"] = ending.interrupted is not None
    return summary


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One agent per folder: two would tear the chain apart."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutboxUnusable("another agent is running there; stop it first") from None
        yield
    finally:
        os.close(descriptor)


def _is_locked(folder: Path) -> bool:
    try:
        with _locked(folder):
            return False
    except OutboxUnusable:
        return True


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="haulproof agent",
        description="The truck's process: it measures, signs, and sends until it holds receipts.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", type=Path, required=True, help="the agent's own folder")
    common.add_argument("--json", action="store_true", help="end with one JSON line on stdout")
    shared: dict[str, Any] = {
        "parents": [common],
        "epilog": _EXAMPLES,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    one = commands.add_parser("enrol", help="make the device's key and request", **shared)
    one.add_argument(
        "--carrier", required=True, help="name of the organisation that owns the truck"
    )
    one.add_argument("--device", required=True, help="name of this device, unique at its carrier")
    one.add_argument("--origin", required=True, help="origin of the exchange's log")
    run = commands.add_parser("run", help="measure, sign and send", **shared)
    run.add_argument(
        "--can", action="append", metavar="URL", help="socketcand://host:port/can0, socketcan:can0"
    )
    run.add_argument(
        "--nmea", action="append", metavar="URL", help="tcp://host:port, serial:/dev/ttyUSB0"
    )
    run.add_argument(
        "--clock", choices=(SYSTEM_CLOCK, SOURCE_CLOCK), help="source: a replay brings its own time"
    )
    run.add_argument(
        "--drain-timeout", type=float, metavar="S", help="how long to wait for receipts at the end"
    )
    run.add_argument(
        "--resend-after", type=float, metavar="S", help="added to the acknowledgement interval"
    )
    commands.add_parser("status", help="what is sent, receipted and waiting", **shared)
    new_key = commands.add_parser("rotate", help="make the device a new key", **shared)
    new_key.add_argument(
        "--again",
        default="",
        metavar="THUMBPRINT",
        help="replace this key, which the carrier has admitted or revoked, whatever was sent of it",
    )
    again = commands.add_parser("resend", help="send again what has its receipt", **shared)
    again.add_argument(
        "--since",
        required=True,
        metavar="TIME",
        help="receipts since then are taken back: when the exchange's backup was made",
    )
    return parser
