"""``haulproof sim``: the truck on the bench."""

import asyncio
import errno
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from firmware_sim import inspection_words
from firmware_sim.bench.pace import MonotonicClock
from firmware_sim.bench.player import NobodyListens, Played
from firmware_sim.drives import Drive, DriveUnreadable, FrameDrive, open_drive, shipped_drive
from firmware_sim.drives.readers import FORMATS
from firmware_sim.drives.shipped import ECLIPSE_TRUCK
from firmware_sim.inspection import inspect
from firmware_sim.truck import Bench, Truck, drive_truck

EXIT_DONE, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_INTERRUPTED = 0, 2, 3, 130

_SIGNALS_NAMED_MAX = 12

_EXAMPLES = """\b
Examples:
  haulproof sim truck --speed 60
      the shipped drive, a minute of it each second
  haulproof sim truck --drive candump-2023-08-22_1.log
      a recorded bus at its own pace
  haulproof sim truck --inspect my_logger.csv
      what a file holds, before it is played
  haulproof sim truck --drive my_logger.csv --can-port 29536 --nmea-port 2947 --json
      a logger's table as CAN frames and NMEA sentences, at fixed ports
"""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The truck on the bench: a recorded drive, played as CAN frames and NMEA sentences.",
)


@app.callback()
def _sim() -> None:
    pass


@app.command(
    epilog=_EXAMPLES,
    help="Play a drive file on a socketcand bus and an NMEA socket, both on loopback. "
    f"Read are {FORMATS}, plain or gzipped, known by what they hold, not by their names.",
)
def truck(
    drive: Annotated[
        str, typer.Option(help=f"A drive file, or {ECLIPSE_TRUCK} for the shipped one.")
    ] = ECLIPSE_TRUCK,
    speed: Annotated[float, typer.Option(help="How many times faster than it was driven.")] = 1.0,
    can_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 0,
    nmea_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 0,
    fill_in: Annotated[
        bool, typer.Option("--fill-in", help="Also send what a truck would, though not recorded.")
    ] = False,
    wait_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for the first listeners.")
    ] = None,
    inspect_file: Annotated[
        str | None,
        typer.Option("--inspect", metavar="FILE", help="Say what a file holds; play nothing."),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON line when ready, one at the end.")
    ] = False,
) -> None:
    """Play a drive."""
    if inspect_file is not None:
        plays = (drive, speed, can_port, nmea_port, fill_in, wait_timeout)
        if plays != (ECLIPSE_TRUCK, 1.0, 0, 0, False, None):
            raise typer.Exit(_refuse("--inspect plays nothing: only --json goes with it.", 2))
        raise typer.Exit(_inspect(inspect_file, json_lines))
    if not 0 < speed <= 1e6:
        raise typer.Exit(_refuse("--speed is a number above 0, up to 1000000.", EXIT_USAGE))
    try:
        opened = _open(drive)
    except DriveUnreadable as unreadable:
        raise typer.Exit(_refuse(str(unreadable), EXIT_USAGE)) from None
    plan = Truck(opened, speed, can_port, nmea_port, fill_in, wait_timeout)
    raise typer.Exit(_run(plan, json_lines))


def main(argv: list[str]) -> int:
    """Run ``haulproof sim`` with its arguments; returns the exit code."""
    try:
        app(args=argv, prog_name="haulproof sim")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_USAGE
    return EXIT_DONE


def _open(name: str) -> Drive:
    path = shipped_drive(name) or Path(name)
    with _share(f"Reading {path.name}") as hear:
        return open_drive(path, hear)


def _inspect(name: str, json_lines: bool) -> int:
    try:
        drive = _open(name)
        with _share(f"Inspecting {drive.name}") as hear:
            found = inspect(drive, hear)
    except DriveUnreadable as unreadable:
        return _refuse(str(unreadable), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if json_lines:
        print(json.dumps(inspection_words.as_json(found)))
    else:
        print("\n".join(inspection_words.lines(found)))
    return EXIT_DONE


@contextmanager
def _share(doing: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; nothing elsewhere. It hears how much is done, from 0 to 1."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(doing, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _run(plan: Truck, json_lines: bool) -> int:
    played = Played()
    code, sentence = EXIT_DONE, ""
    try:
        with _progress(plan) as progress:
            asyncio.run(
                drive_truck(
                    plan,
                    MonotonicClock(),
                    time.time_ns() // 10**6,
                    played,
                    lambda bench: _announce(plan, bench, json_lines),
                    progress,
                )
            )
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except NobodyListens as nobody:
        code, sentence = EXIT_ENVIRONMENT, str(nobody)
    except DriveUnreadable as unreadable:  # it was readable a moment ago, and changed
        code, sentence = EXIT_USAGE, str(unreadable)
    except OSError as error:
        code, sentence = EXIT_ENVIRONMENT, _port_sentence(error, plan)
    if sentence:
        return _refuse(sentence, code)
    _tell_end(played, code == EXIT_DONE, json_lines)
    return code


@contextmanager
def _progress(plan: Truck) -> Iterator[Callable[[int], None]]:
    """A bar as the drive is played; it hears the drive's time in ns."""
    with _share(plan.drive.name) as hear:
        first_ns: int | None = None

        def hear_time(time_ns: int) -> None:
            nonlocal first_ns
            first_ns = time_ns if first_ns is None else first_ns
            hear((time_ns - first_ns) / 1e9 / max(plan.drive.facts.span_s, 0.001))

        yield hear_time


def _announce(plan: Truck, bench: Bench, json_lines: bool) -> None:
    if json_lines:
        print(json.dumps(bench.as_json(plan)), flush=True)
        return
    for line in _summary(plan, plan.framing):
        print(line)
    print(f"can   {bench.can}")
    print(f"nmea  {bench.nmea}")
    print("Waiting for a listener on both.", flush=True)


def _summary(plan: Truck, framing: str) -> Iterator[str]:
    facts = plan.drive.facts
    kind = "frames" if isinstance(plan.drive, FrameDrive) else "records"
    yield (
        f"{plan.drive.name}: {facts.format}, {facts.items} {kind} over {facts.span_s:.0f} s, "
        f"{facts.seconds} seconds with data, {framing}"
    )
    short = [path.removeprefix("Vehicle.") for path in facts.signals]
    more = f" and {len(short) - _SIGNALS_NAMED_MAX} more" if len(short) > _SIGNALS_NAMED_MAX else ""
    yield f"Signals: {', '.join(short[:_SIGNALS_NAMED_MAX])}{more}"
    if facts.left_out:
        yield f"Left out: {', '.join(facts.left_out[:_SIGNALS_NAMED_MAX])}"
    if plan.filled_in:
        yield f"Filled in, not recorded: {', '.join(plan.filled_in)}"
    if facts.notes:
        yield f"Noted: {'; '.join(facts.notes)}"


def _tell_end(played: Played, ended: bool, json_lines: bool) -> None:
    if json_lines:
        print(json.dumps({**asdict(played), "ended": ended}), flush=True)
        return
    how = "The drive has ended" if ended else "Stopped"
    print(f"{how}: {played.frames} frames and {played.fixes} fixes played.")
    if played.unheard_frames or played.unheard_fixes:
        print(
            f"Nobody was connected for {played.unheard_frames} of the frames "
            f"and {played.unheard_fixes} of the fixes."
        )


def _port_sentence(error: OSError, plan: Truck) -> str:
    ports = f"{plan.can_port} or {plan.nmea_port}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {ports} is in use: choose others, or leave them out for any free ones."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {ports} is not allowed to this user: choose ones from 1024 on."
    return f"The bench can't listen on loopback: {error.strerror or error}."


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof sim: {sentence}", file=sys.stderr)
    return code
