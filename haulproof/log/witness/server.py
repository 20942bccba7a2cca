"""The witness under uvicorn: one socket, bounded connections."""

import socket
from collections.abc import Callable

import uvicorn

from haulproof.log.witness.app import make_app
from haulproof.log.witness.service import Witness

_CONNECTIONS_MAX = 256
_KEEP_ALIVE_S = 120
_SHUTDOWN_S = 3


def serve(witness: Witness, listening: socket.socket, on_ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; ``on_ready`` is told once they are answered."""
    config = uvicorn.Config(
        make_app(witness),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS_MAX,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    _Server(config, on_ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are answered once they are."""
        await super().startup(sockets)
        self._on_ready()
