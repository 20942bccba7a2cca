"""A witness without its HTTP: judges a request, keeps what it cosigns, then gives the lines out."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from haulproof.log.witness.store import WitnessStore
from ledger.checkpoint import TreeHead
from ledger.cosignature import cosign
from ledger.note import NoteSignature, NoteSigner, format_lines, format_note
from ledger.witness.judgement import (
    Cause,
    KnownLog,
    NotCosigned,
    check_extends,
    check_signed,
    read_submission,
)
from ledger.witness.quota import LogQuota
from ledger.witness.request import RequestMalformed, parse_request

_FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class _Given:
    """What was cosigned last of a log: who shows the same again at once gets the same lines.

    Checkpoints are public, so that anybody can show them as often as he likes: without this, each
    time would be a write.
    """

    head: TreeHead
    lines: tuple[NoteSignature, ...]
    at_s: float

    def still_fresh(self, head: TreeHead, now_s: float) -> bool:
        return head == self.head and now_s - self.at_s < _FRESH_S


class Witness:
    """One witness. Safe to be called by several threads at once."""

    def __init__(
        self,
        signers: Sequence[NoteSigner],
        store: WitnessStore,
        logs: Mapping[str, KnownLog],
        now_s: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        """``now_s`` is POSIX time, which goes into cosignatures."""
        self._signers = signers
        self._store = store
        self._logs = logs
        self._by_hash = {sha256(origin.encode()).hexdigest(): origin for origin in logs}
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._quota = LogQuota(logs, monotonic_s())
        self._quota_lock = threading.Lock()
        self._given: dict[str, _Given] = {}

    def add_checkpoint(self, body: bytes) -> bytes:
        """Cosign what a request shows: signature lines, durable before they are returned.

        Raises ``NotCosigned``, ``AskedTooOften``, and ``sqlite3.Error`` when it cannot be kept.
        """
        try:
            request = parse_request(body)
        except RequestMalformed as malformed:
            raise NotCosigned(Cause.MALFORMED, str(malformed)) from None
        head, signed = read_submission(request.note)
        log = self._logs.get(head.origin)
        if log is None:
            raise NotCosigned(
                Cause.UNKNOWN_LOG, f"this witness does not know the log {head.origin}"
            )
        submission = check_signed(head, signed, log)
        lines: list[NoteSignature] = []
        asked_at_s = self._monotonic_s()

        def decide(last: TreeHead | None) -> tuple[TreeHead, bytes] | None:
            check_extends(request, head, last)
            given = self._given.get(head.origin)
            if head == last and given is not None and given.still_fresh(head, asked_at_s):
                lines.extend(given.lines)
                return None
            if last is None or head.size > last.size:
                with self._quota_lock:
                    self._quota.take(head.origin, asked_at_s)
            now_s = self._now_s()
            lines.extend(cosign(head, signer, now_s) for signer in self._signers)
            return head, format_note(head.text, [*submission.signatures, *lines])

        if self._store.advance(head.origin, decide):
            self._given[head.origin] = _Given(head, tuple(lines), asked_at_s)
        return format_lines(lines)

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """What was last cosigned of the log whose origin has this SHA-256 (64 hex digits)."""
        origin = self._by_hash.get(origin_hash)
        return None if origin is None else self._store.note(origin)
