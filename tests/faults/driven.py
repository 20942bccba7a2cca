"""A long made-up drive on the bench, and an agent that is killed again and again while it lasts."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from haulproof.demo.processes import Part
from tests.faults.checker import Verdict, judge
from tests.faults.injection import Order
from tests.faults.outbox_found import Found, check_chain, outbox, seconds_stated
from tests.faults.parts import AGENT, PartProcess, wait_until
from tests.faults.published_log import LogReader

T_ZERO_S = 1_760_000_000
SPEED = 30
_INTO_THE_SECOND_MS = 300
_DEADLINE_S = 60.0


class Drive:
    """A lap that is driven for ``seconds``; one row a second. Plays until it is closed."""

    def __init__(self, folder: Path, seconds: int, speed: int = SPEED) -> None:
        self.seconds = set(range(T_ZERO_S + 1, T_ZERO_S + seconds + 1))
        """Seconds with data, each named by its end."""
        path = folder / "lap.csv"
        path.write_text("\n".join(["t_unix_log,lat,lon,speed_kmh,engine_rpm", *_rows(seconds)]))
        words = ["sim", "truck", "--drive", str(path), "--speed", str(speed), "--json"]
        self._bench = Part(words, folder / "sim.log")
        served = self._bench.announced(timeout_s=60)
        self.sources = ["--can", served["can"], "--nmea", served["nmea"]]

    def close(self) -> None:
        self._bench.stop()


class Agent:
    """An agent's folder, and the process that runs in it now."""

    def __init__(
        self,
        folder: Path,
        sources: list[str],
        *,
        clock: str = "source",
        segment_samples: int = 10,
        log: Path | None = None,
    ) -> None:
        self.folder = folder
        told = f"segment_samples = {segment_samples}\nresend_after_s = 1\ndrain_timeout_s = 60\n"
        (folder / "agent.toml").write_text(told)
        self._words = ["run", "--dir", str(folder), "--json", "--clock", clock, *sources]
        self._log = log or folder / "agent.log"
        self.process: PartProcess | None = None

    def start(self, first: Order | None = None) -> PartProcess:
        self.process = PartProcess(AGENT, self._words, self._log, first)
        return self.process

    def kill(self) -> None:
        """SIGKILL, at whatever moment this is."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def found(self) -> list[Found]:
        return outbox(self.folder)

    def until(self, met: Callable[[list[Found]], bool], what: str) -> None:
        """Wait on a state of the outbox."""
        said = "" if self.process is None else self.process.said()
        wait_until(lambda: met(self.found()), f"{what}: {said}", _DEADLINE_S)

    def until_sealed_anew(self) -> None:
        """Until something was sealed since now, and everything up to it has its receipt."""
        known = len(self.found())
        self.until(lambda found: len(found) > known, "another statement is sealed")
        sealed = len(self.found())
        self.until(
            lambda found: all(one.state == "receipted" for one in found[:sealed]),
            "everything sealed has its receipt",
        )

    def until_gap_is_stated(self) -> None:
        """Until a few more are sealed: what a restart misses is stated with its first segment."""
        enough = len(self.found()) + 2
        self.until(lambda found: len(found) >= enough, "the truck drives on")

    def strike(self, order: Order, at_start: bool) -> None:
        """Make the fault, in this process or in the next; start the agent again if it ended."""
        if at_start:
            self.kill()
            self.start(order)
        assert self.process is not None
        if not at_start:
            self.process.arm(order)
        assert self.process.struck(), f"{order} was never passed: {self.process.said()}"
        self.start_if_ended(must=order.form.kills)

    def start_if_ended(self, *, must: bool) -> None:
        """As its service manager would do it."""
        assert self.process is not None
        if self.process.ended(deadline_s=10 if must else 1) is not None:
            self.start()
        else:
            assert not must


def judged(agent: Agent, drive: Drive, log: LogReader) -> Verdict:
    """The outbox against the log, and against the drive from its first stated second on."""
    found = agent.found()
    check_chain(found)
    stated = seconds_stated(found)
    driven = drive.seconds & set(range(min(stated), max(stated) + 1))
    receipts = {one.digest: one.leaf for one in found if one.leaf is not None}
    return judge(log, receipts, [one.digest for one in found], len(driven - stated))


def recovery_of(agent: Agent) -> float:
    """Seconds until the agent seals again and has a receipt for everything before that."""
    began = time.monotonic()
    agent.until_sealed_anew()
    return time.monotonic() - began


def _rows(seconds: int) -> list[str]:
    rows = []
    for second in range(seconds):
        angle = second / 600 * 2 * math.pi
        lat, lon = 48 + 0.02 * math.sin(angle), 11 + 0.02 * math.cos(angle)
        at = f"{T_ZERO_S + second}.{_INTO_THE_SECOND_MS:03d}"
        rows.append(f"{at},{lat:.7f},{lon:.7f},{60 + 10 * math.sin(angle):.2f},1400")
    return rows
