"""A witness without its HTTP: judges a request, keeps what it cosigns, then gives the lines out."""

import threading
from collections.abc import Callable, Mapping, Sequence
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
        with self._quota_lock:
            self._quota.take(head.origin, self._monotonic_s())
        lines: list[NoteSignature] = []

        def decide(last: TreeHead | None) -> tuple[TreeHead, bytes]:
            check_extends(request, head, last)
            now_s = self._now_s()
            lines.extend(cosign(head, signer, now_s) for signer in self._signers)
            return head, format_note(head.text, [*submission.signatures, *lines])

        self._store.advance(head.origin, decide)
        return format_lines(lines)

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """What was last cosigned of the log whose origin has this SHA-256 (64 hex digits)."""
        origin = self._by_hash.get(origin_hash)
        return None if origin is None else self._store.note(origin)
