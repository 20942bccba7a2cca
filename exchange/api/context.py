"""What every endpoint works with: the exchange's database, keys, clock and addresses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from psycopg import Connection
from psycopg_pool import ConnectionPool

from exchange.api.quota import Quota
from exchange.api.tokens import Tokens
from exchange.one_time_secrets import AnswerSeal
from exchange.transparency.evidence import Issuer
from schemas.cose.keys import Signer

CONNECTION_WAIT_S = 5
_LIMITS = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s'"


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where devices connect, and the CA that vouches for it."""

    host: str
    port: int
    ca_pem: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as its API sees it; ``now_ms`` is UTC since 1970, ``random`` gives n bytes."""

    pool: ConnectionPool[Connection[Any]]
    organisation: str
    origin: str
    log_vkey: str
    log_ml_dsa_vkey: str
    signer: Signer
    tokens: Tokens
    answer_seal: AnswerSeal
    quota: Quota
    mqtt: MqttAddress
    ack_interval_s: int
    now_ms: Callable[[], int]
    monotonic_s: Callable[[], float]
    random: Callable[[int], bytes]
    quorum: bool = False
    """Whether witnesses decide when a checkpoint is final."""

    @property
    def issuer(self) -> Issuer:
        """The exchange as it signs what it says of keys."""
        return Issuer(self.organisation, self.origin, self.signer)

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """A transaction: committed at the end, rolled back on an exception.

        Raises ``PoolTimeout`` or ``OperationalError`` when none is to be had or a lock is held for
        long: the caller is told to try again, and no thread waits for ever.
        """
        with self.pool.connection(timeout=CONNECTION_WAIT_S) as conn:
            conn.execute(_LIMITS)
            yield conn


def _of_request(request: Request) -> Exchange:
    exchange: Exchange = request.app.state.exchange
    return exchange


Context = Annotated[Exchange, Depends(_of_request)]
