"""An exchange with trucks that send: one fault at a time, and the checker after each."""

import time

from tests.faults.checker import Verdict, judge
from tests.faults.fleet import Fleet
from tests.faults.injection import Order
from tests.faults.note_watch import NoteWatch
from tests.faults.points import POINTS
from tests.faults.published_log import LogReader
from tests.faults.stage import Stage


class Receiving:
    """The exchange, its trucks and its reader."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.log: LogReader = stage.reader()
        origin = stage.directory.origin or ""
        self._watch = NoteWatch(self.log.notes, stage.api, stage.directory.fence)
        self.fleet = Fleet(stage.broker_login(), origin, self.log.notes)
        stage.admit(*self.fleet.trucks)
        self.signed: set[bytes] = set()
        self.acknowledged = 0

    def send(self) -> None:
        self.signed |= self.fleet.send()

    def fault(self, order: Order) -> tuple[Verdict, float]:
        """Make the fault while trucks send; what became of what they sent, seconds to recover."""
        part = POINTS[order.point].part
        process = self.stage.parts[part]
        process.arm(order)
        self.send()
        assert process.struck(), f"{order} was never passed: {process.said()}"
        began = time.monotonic()
        if order.form.kills:
            assert process.ended(deadline_s=10) == -9
            self.stage.start(part)
        self.until_recovered()
        recovered_s = time.monotonic() - began
        return self.judged(), recovered_s

    def until_recovered(self) -> None:
        """Until every statement has its receipt."""
        try:
            self.fleet.until_receipted()
        except AssertionError as error:
            logs = {name: part.said() for name, part in self.stage.parts.items()}
            raise AssertionError(f"{error}: {logs}") from None

    def judged(self) -> Verdict:
        """What is new since the last time."""
        verdict = judge(self.log, self.fleet.received, self.signed)
        assert (verdict.lost, verdict.twice) == (0, 0)
        assert self._watch.wrong == []
        assert verdict.acknowledged == len(self.signed)
        before, self.acknowledged = self.acknowledged, verdict.acknowledged
        return verdict.since(before)

    def close(self) -> None:
        self.fleet.close()
        self._watch.close()
        self.log.close()
