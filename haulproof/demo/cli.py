"""``haulproof demo``: the main job once, told in plain sentences or as one JSON line."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exchange.commands.credentials import read_credentials
from exchange.commands.http import Api
from exchange.exits import CommandStopped
from firmware_sim.drives import Drive, DriveUnreadable, open_drive, seconds_with_data, shipped_drive
from firmware_sim.drives.shipped import ECLIPSE_TRUCK
from haulproof.demo.account import Account
from haulproof.demo.processes import PartFailed, end_in_order_when_told
from haulproof.demo.report import MOTION, Result, no_trip_sentence, trip_sentence
from haulproof.demo.story import INSURER, VEHICLE, Places, Played, Story, await_trips, changed_byte
from haulproof.given import CannotVerify
from haulproof.parser import Parser
from haulproof.verify import Outcome, judge

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_ENVIRONMENT = 0, 1, 2, 3

_PLAY_S = 6.0
_READING_TOLD_S = 2.0
_CLOCK_DOUBT_MS = 90 * 86_400_000
_EXAMPLES = """\
examples:
  haulproof demo
  haulproof demo --drive my_logger.csv
  haulproof demo --dir ./exchange        and then: haulproof up --dir ./exchange
  haulproof demo --json | tail -1"""


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 when the trip verified, the change was noticed and nothing was lost."""
    options = _parser().parse_args(argv)
    telling = Telling(quiet=options.json)
    try:
        drive = open_drive(shipped_drive(options.drive) or Path(options.drive), telling.reading)
        places = _places(options.dir)
    except DriveUnreadable as unreadable:
        return _refuse(str(unreadable), EXIT_USAGE)
    except FileExistsError as error:
        return _refuse(str(error), EXIT_USAGE)
    except OSError as error:
        return _refuse(_of_system(error), EXIT_ENVIRONMENT)
    story = Story(places)
    keeps_logs = False
    end_in_order_when_told()
    try:
        result = _run(story, places, drive, options.drive, telling)
    except (PartFailed, CommandStopped, CannotVerify) as failed:
        keeps_logs = True
        return _refuse(str(failed), EXIT_ENVIRONMENT)
    except OSError as error:
        return _refuse(_of_system(error), EXIT_ENVIRONMENT)
    finally:
        story.close()
        if options.dir is None:
            _keep_only_files(places)
        if not keeps_logs:
            shutil.rmtree(places.logs, ignore_errors=True)
    if options.json:
        print(json.dumps(result.to_json()))
    else:
        telling.say(_last_words(result, kept=options.dir is not None, places=places))
    return EXIT_DONE if result.good else EXIT_FAILED


class Telling:
    """Sentences for a person on standard output, each with the time since the start."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._begun = time.monotonic()
        self._read_s = 0.0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def reading(self, share: float) -> None:
        """How much of the drive has been read, from 0 to 1; told when that takes its time."""
        if self.seconds - self._read_s >= _READING_TOLD_S:
            self._read_s = self.seconds
            self.say(f"Reading the drive: {share:.0%}.")

    def say(self, sentence: str) -> None:
        """One sentence, now: a person waits for each."""
        print(
            f"{self.seconds:5.1f} s  {sentence}",
            file=sys.stderr if self._quiet else sys.stdout,
            flush=True,
        )


def _run(story: Story, places: Places, drive: Drive, name: str, telling: Telling) -> Result:
    facts = drive.facts
    telling.say(
        f"The drive {drive.name}: {facts.span_s:.0f} s, {facts.seconds} seconds with data, "
        f"{len(facts.signals)} signals."
    )
    if facts.notes:
        telling.say(f"Noted in it: {'; '.join(facts.notes)}.")
    up = story.start_exchange()
    telling.say(f"An exchange is up: broker, database and a new log, {up['log_origin']}.")
    story.admit(up, note="")
    telling.say(
        "A carrier, an insurer and a truck's device are admitted by keys of their own; the carrier "
        "has signed a grant to the insurer."
    )
    speed = max(1.0, facts.span_s / _PLAY_S)
    telling.say(f"The truck drives at {speed:.0f} times its speed; its agent signs and sends.")
    played = story.play(name, speed, facts.span_s, lambda: _interrupt(story, telling))
    telling.say(
        f"The drive has ended. The agent holds a receipt of the log for each of the "
        f"{played.agent['receipted']} statements that it signed."
    )
    return _inspect(places, drive, name, played, telling)


def _interrupt(story: Story, telling: Telling) -> None:
    story.kill_exchange()
    telling.say("Half-way: the exchange is killed with SIGKILL. The agent goes on signing.")
    story.start_exchange()
    telling.say("The exchange is back, on what its disk held; the agent sends what is unreceipted.")


def _inspect(places: Places, drive: Drive, name: str, played: Played, telling: Telling) -> Result:
    credentials = read_credentials(places.credentials(INSURER))
    account = Account()
    with Api(credentials) as api:
        segments = _segments(api, played)
        account.read(segments)
        trips = await_trips(places.credentials(INSURER), max(account.indices))
        trip = max(trips, key=_metres, default=None)
        telling.say(trip_sentence(trip) if trip else _no_trip(drive, account))
        evidence = segments if trip is None else _full(api, trip)
    places.evidence.write_bytes(evidence)
    policy = places.policy.read_text()
    outcome = _verify(evidence, policy, telling, recompute=trip is not None)
    return Result(
        drive=name,
        samples=account.samples,
        segments=account.segments,
        gaps=account.gaps,
        trips=len(trips),
        trip=trip,
        receipts=int(played.agent["receipted"]),
        log_size=outcome.report.log_size,
        evidence_file=str(places.evidence),
        policy_file=str(places.policy),
        verified=outcome.verified,
        recomputed=outcome.recomputed,
        tamper_detected=_notices_change(places, policy, telling),
        lost=account.lost(seconds_with_data(drive, int(played.bench["t_zero_ms"]))),
        seconds=telling.seconds,
    )


def _no_trip(drive: Drive, account: Account) -> str:
    return no_trip_sentence(
        account.wander_m(), tells_motion=not MOTION.isdisjoint(drive.facts.signals)
    )


def _verify(evidence: bytes, policy: str, telling: Telling, *, recompute: bool) -> Outcome:
    outcome = judge(evidence, policy, recompute=recompute)
    telling.say(f"The insurer, offline: {outcome.report.sentences()[0]}")
    if outcome.recomputed:
        telling.say("Derived again from its signed segments, the trip is the same.")
    for reason in outcome.reasons:
        telling.say(f"But: {reason}.")
    return outcome


def _notices_change(places: Places, policy: str, telling: Telling) -> bool:
    middle = places.evidence.stat().st_size // 2
    with changed_byte(places.evidence, middle) as changed:
        noticed = not _verifies(changed.read_bytes(), policy)
    verdict = "it no longer verifies" if noticed else "it still verifies, which must not happen"
    telling.say(f"One byte of the file changed: {verdict}.")
    return noticed


def _segments(api: Api, played: Played) -> bytes:
    # The truck may know a better time than its recording's clock, so the window is generous.
    first, last = int(played.bench["t_zero_ms"]), int(played.bench["t_end_ms"])
    span = {"from": _time(first - _CLOCK_DOUBT_MS), "to": _time(last + _CLOCK_DOUBT_MS)}
    return api.get_bytes("/v1/segments/evidence", vehicle=VEHICLE, **span)


def _full(api: Api, trip: dict[str, Any]) -> bytes:
    return api.get_bytes(f"/v1/trips/{trip['id']}/evidence", form="full")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(max(0, at_ms) / 1_000, UTC).isoformat()


def _verifies(data: bytes, policy: str) -> bool:
    try:
        return judge(data, policy).verified
    except CannotVerify:
        return False


def _metres(trip: dict[str, Any]) -> float:
    distance = trip["distance"]
    return float(distance["odometer_m"] or distance["gnss_m"] or 0)


def _last_words(result: Result, *, kept: bool, places: Places) -> str:
    lines = [
        f"Done: {result.samples} samples in {result.segments} segments, {result.receipts} "
        f"receipts, a log of {result.log_size} leaves; {result.lost} seconds of the drive lost.",
        f"See for yourself: haulproof verify {result.evidence_file} --policy {result.policy_file}",
    ]
    if kept:
        lines.append(f"Serve it again: haulproof up --dir {places.root}")
    return "\n         ".join(lines)


def _places(wanted: str | None) -> Places:
    """The demo's folder; ``FileExistsError`` when a demo has already been played there."""
    if wanted is not None and (Path(wanted) / "demo").exists():
        raise FileExistsError(f"{wanted} holds an earlier demo: choose another --dir, or remove it")
    root = Path(tempfile.mkdtemp(prefix="haulproof-demo-") if wanted is None else wanted).absolute()
    return Places(root, Path(tempfile.mkdtemp(prefix="haulproof-demo-logs-")))


def _keep_only_files(places: Places) -> None:
    """Of a temporary folder keep what the reader may want to check, not data, keys or secrets."""
    if not places.evidence.exists():
        shutil.rmtree(places.root, ignore_errors=True)
        return
    kept = (places.party, places.evidence, places.policy)
    for entry in (*places.root.glob("*"), *places.party.glob("*")):
        if entry in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _of_system(error: OSError) -> str:
    reason = (error.strerror or "unreadable").lower()
    return f"{error.filename or 'a file'} cannot be used ({reason}): choose another --dir"


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof demo: {sentence}", file=sys.stderr)
    return code


def _parser() -> Parser:
    parser = Parser(
        "haulproof demo",
        "Play a recorded drive from the truck to the insurer, and check what arrives.",
        _EXAMPLES,
    )
    parser.add_argument(
        "--drive", default=ECLIPSE_TRUCK, metavar="FILE", help="default: the shipped truck"
    )
    parser.add_argument("--dir", metavar="DIR", help="keep everything there; default: temporary")
    parser.add_argument("--json", action="store_true", help="one JSON line at the end")
    return parser
