"""The API's process: waits for its database, commits the exchange's own record, serves HTTP."""

import json
import logging
import os
import signal
import socket
import sys
import time
from threading import Event

import structlog
import uvicorn
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from exchange.api.app import make_app
from exchange.api.context import Exchange, MqttAddress
from exchange.api.quota import Quota
from exchange.api.tokens import Tokens
from exchange.broker_address import told_to_agents
from exchange.directory import Directory, existing_directory
from exchange.exits import EnvironmentUnfit
from exchange.kept_ports import Ports, read_ports
from exchange.one_time_secrets import AnswerSeal
from exchange.orgs.admission import admit_own, save_operator
from exchange.orgs.model import OrganisationConflict
from exchange.readiness import tell_ready
from exchange.settings import Settings
from exchange.store.database import connect, pool
from exchange.witnesses.model import has_quorum
from schemas.limits import SALT_BYTES

_AGAIN_AFTER_S = 0.2
_SHUTDOWN_S = 3
_KEEP_ALIVE_S = 30
_BACKLOG = 1_024

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; ``EnvironmentUnfit`` when directory and database disagree."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _log_as_json()
    directory = existing_directory(settings.dir)
    if not _wait_until_ready(settings, directory, stop):
        return 0
    ports = read_ports(directory) or Ports(settings.api_port, settings.mqtt_port, 0)
    exchange = open_exchange(settings, directory, ports)
    try:
        listening = _listen(settings.api_host, settings.api_port or ports.api)
        config = uvicorn.Config(
            make_app(exchange),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        _Server(config).run(sockets=[listening])
    finally:
        exchange.pool.close()
    return 0


def _log_as_json() -> None:
    """What uvicorn and the problems log goes where this process logs, in the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are answered once they are."""
        await super().startup(sockets)
        tell_ready()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise EnvironmentUnfit(
            f"the API cannot listen on {host} port {port} ({error.strerror}): stop what uses it, "
            "or choose another port with HAULPROOF_API_PORT"
        ) from None


def open_exchange(settings: Settings, directory: Directory, ports: Ports) -> Exchange:
    """What the API works with; the caller closes its pool."""
    token_key = directory.token_key.read_bytes()
    origin = directory.origin or ""
    return Exchange(
        pool=pool(settings),
        organisation=settings.organisation,
        origin=origin,
        log_vkey=directory.log_vkey(),
        log_ml_dsa_vkey=directory.log_ml_dsa_vkey(),
        signer=directory.exchange_signer(),
        tokens=Tokens.from_pem(token_key, origin, lambda: int(time.time())),
        answer_seal=AnswerSeal(token_key),
        quota=Quota(),
        mqtt=_mqtt_address(settings, directory, ports),
        ack_interval_s=settings.ack_interval_s,
        now_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_s=time.monotonic,
        random=os.urandom,
        quorum=has_quorum(settings),
    )


def _mqtt_address(settings: Settings, directory: Directory, ports: Ports) -> MqttAddress:
    """What a device is told at enrolment."""
    host, port = told_to_agents(settings, ports.mqtt)
    ca_file = settings.mqtt_ca_file or directory.ca_certificate
    return MqttAddress(host, port, ca_file.read_text(encoding="utf-8"))


def introduce(settings: Settings, directory: Directory) -> None:
    """Commit the exchange's own record (the log's first) and let the operator's client in.

    Raises ``EnvironmentUnfit`` when the database belongs to another directory, and
    ``OperationalError`` when it is away.
    """
    operator = json.loads(directory.operator.read_bytes())
    with connect(settings) as conn:
        try:
            admit_own(
                conn,
                directory.exchange_signer(),
                exchange=settings.organisation,
                origin=directory.origin or "",
                created_ms=time.time_ns() // 1_000_000,
                salt=os.urandom(SALT_BYTES),
            )
        except OrganisationConflict as conflict:
            raise EnvironmentUnfit(conflict.detail) from None
        save_operator(conn, settings.organisation, operator["client_id"], operator["client_secret"])


def _wait_until_ready(settings: Settings, directory: Directory, stop: Event) -> bool:
    """Introduce the exchange to its database, however long that is away; False when stopped."""
    while not stop.is_set():
        try:
            introduce(settings, directory)
        except (OperationalError, PoolTimeout) as error:
            log.warning("database-away", error=str(error).strip())
            stop.wait(_AGAIN_AFTER_S)
        else:
            return True
    return False
