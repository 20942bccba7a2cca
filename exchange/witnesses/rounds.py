"""One round: the same checkpoint to every witness at once, until it is final and a little longer.

Nobody waits for the slowest: a round ends when all have answered, when the quorum is met and the
wait for more is over, or at the time-out. What comes later is learned in the next round.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import structlog

from exchange.transparency.model import LogDamaged, Published
from exchange.witnesses.client import NoCosignature, WitnessClient
from exchange.witnesses.model import Round
from ledger.note import NoteSignature, parse_note
from ledger.policy import Policy
from ledger.witness.cosigned import cosigned_by, line_of

log = structlog.get_logger("witnesses")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a round takes at most, and how long it goes on once the quorum is met, in s."""

    timeout_s: float
    wait_for_more_s: float


class Rounds:
    """Holds rounds, one at a time."""

    def __init__(
        self, policy: Policy, clients: Sequence[WitnessClient], patience: Patience
    ) -> None:
        self._policy = policy
        self._clients = clients
        self._patience = patience
        self._said: dict[str, str] = {}

    async def hold(
        self, checkpoint: Published, already: Mapping[str, NoteSignature] | None = None
    ) -> Round:
        """Ask all but those who have cosigned ``already``; it ends, whatever a witness does."""
        lines = dict(already or {})
        asked = {
            asyncio.create_task(self._ask(client, checkpoint))
            for client in self._clients
            if not client.address.keys.keys() <= lines.keys()
        }
        try:
            await self._collect(asked, lines)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return self._round(checkpoint, lines)

    def resumed(self, checkpoint: Published, stored_note: bytes) -> Round:
        """The round that an earlier process held, from its note; lines that are wrong are left."""
        signed = parse_note(stored_note)
        lines = {}
        for name in cosigned_by(signed, self._policy.witnesses).times_s:
            lines[name] = line_of(signed.signatures, self._policy.witnesses[name])
        return self._round(checkpoint, lines)

    def _round(self, checkpoint: Published, lines: dict[str, NoteSignature]) -> Round:
        met = self._policy.quorum_met(lines)
        final = met and self._policy.quorum is not None
        return Round(checkpoint.note, checkpoint.size, lines, final, met)

    async def _collect(
        self, asked: set[asyncio.Task[dict[str, NoteSignature]]], lines: dict[str, NoteSignature]
    ) -> None:
        ends_at = time.monotonic() + self._patience.timeout_s
        met = False
        waiting = set(asked)
        while waiting:
            if not met and self._policy.quorum_met(lines):
                met = True
                ends_at = min(ends_at, time.monotonic() + self._patience.wait_for_more_s)
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                self._say_late(waiting)
                return
            done, waiting = await asyncio.wait(
                waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                # A line that is there stays: a newer one of the same key would be another row.
                for name, line in task.result().items():
                    lines.setdefault(name, line)

    async def _ask(self, client: WitnessClient, checkpoint: Published) -> dict[str, NoteSignature]:
        asyncio.current_task().set_name(client.address.url)  # type: ignore[union-attr]
        try:
            lines = await client.cosign(checkpoint)
        except NoCosignature as reason:
            self._say(client.address.url, str(reason))
            return {}
        except (psycopg.Error, LogDamaged):
            raise  # our own log has no proof to give, to none of them
        except Exception as error:
            self._say(client.address.url, f"asking it failed ({type(error).__name__} {error})")
            return {}
        self._say(client.address.url, "")
        return lines

    def _say_late(self, waiting: set[asyncio.Task[dict[str, NoteSignature]]]) -> None:
        for task in waiting:
            self._say(task.get_name(), "it had not answered when the round ended")

    def _say(self, url: str, reason: str) -> None:
        """Log what is new about a witness: a round a second must not fill the disk."""
        kind = reason.partition("(")[0]
        if self._said.get(url, "") == kind:
            return
        self._said[url] = kind
        if reason:
            log.warning("no-cosignature", witness=url, reason=reason)
        else:
            log.info("witness-cosigns-again", witness=url)
