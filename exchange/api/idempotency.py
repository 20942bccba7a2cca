"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated POST has one answer.

The stored answer and what the request did are one transaction; a second request with the same key
waits for the first one's commit. Answers are kept 24 h, sealed, because some carry a secret. What
was refused is not kept: it did nothing and may be tried again.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel

from exchange.api.context import Exchange
from exchange.errors import ExchangeRefusal
from exchange.orgs.model import Caller

KEPT_HOURS = 24

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="Repeats with the same key and body within 24 h get the first answer again.",
    ),
]


class KeyReused(ExchangeRefusal):
    """The key came with another body before."""


@dataclass(frozen=True, slots=True)
class Once:
    """A POST of one client: where it goes, its key (None: not wanted) and its body."""

    caller: Caller
    route: str
    key: str | None
    body: BaseModel

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the body as it was understood."""
        return hashlib.sha256(self.body.model_dump_json().encode()).digest()

    @property
    def context(self) -> bytes:
        """What the stored answer is sealed to."""
        return json.dumps([self.caller.client_id, self.route, self.key]).encode()

    def answer(
        self, exchange: Exchange, act: Callable[[Connection[Any]], BaseModel], status: int = 201
    ) -> JSONResponse:
        """Do it and answer, or answer as the first time; ``KeyReused`` for another body."""
        with exchange.connection() as conn:
            stored = None if self.key is None else self._stored(exchange, conn)
            if stored is None:
                stored = act(conn).model_dump_json().encode()
                if self.key is not None:
                    self._store(exchange, conn, stored)
        return JSONResponse(json.loads(stored), status_code=status)

    def _stored(self, exchange: Exchange, conn: Connection[Any]) -> bytes | None:
        """The first answer; None at the first request, whose row now holds others back."""
        conn.execute(
            "DELETE FROM idempotency WHERE created_at < now() - make_interval(hours => %s)",
            [KEPT_HOURS],
        )
        place = [self.caller.client_id, self.route, self.key]
        made = conn.execute(
            """
            INSERT INTO idempotency (client_id, route, key, fingerprint)
            VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [*place, self.fingerprint],
        )
        if made.rowcount == 1:
            return None
        row = conn.execute(
            """
            SELECT fingerprint, sealed_answer FROM idempotency
            WHERE client_id = %s AND route = %s AND key = %s
            """,
            place,
        ).fetchone()
        if row is None or bytes(row[0]) != self.fingerprint:
            raise KeyReused("This Idempotency-Key came with another body: use a new key.")
        return exchange.answer_seal.open(bytes(row[1]), self.context)

    def _store(self, exchange: Exchange, conn: Connection[Any], answer: bytes) -> None:
        conn.execute(
            """
            UPDATE idempotency SET sealed_answer = %s
            WHERE client_id = %s AND route = %s AND key = %s
            """,
            [
                exchange.answer_seal.seal(answer, self.context),
                self.caller.client_id,
                self.route,
                self.key,
            ],
        )
