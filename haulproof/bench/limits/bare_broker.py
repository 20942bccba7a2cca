"""A broker with nothing of ours in it: the same server program, MQTT without TLS or names."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.embedded.processes import end, start_server
from exchange.embedded.programs import nats_program

_READY_S = 30.0
_LOOK_AGAIN_S = 0.02
_STOP_EACH_S = 10.0


@contextmanager
def bare_broker(folder: Path) -> Iterator[int]:
    """Run one in ``folder``, from the main thread; gives its MQTT port on loopback."""
    folder.mkdir(mode=0o700)
    port, mqtt = _free_ports(2)
    told = {
        "server_name": "bare",
        "host": "127.0.0.1",
        "port": port,
        "jetstream": {"store_dir": "."},
        "mqtt": {"host": "127.0.0.1", "port": mqtt},
    }
    (folder / "bare.conf").write_text(json.dumps(told))
    server = start_server(
        nats_program(),
        ["-c", "bare.conf"],
        folder=folder,
        log=folder / "bare.log",
        end_signal=signal.SIGTERM,
    )
    try:
        _wait_for(mqtt)
        yield mqtt
    finally:
        end(server, (signal.SIGTERM, signal.SIGKILL), _STOP_EACH_S)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the bare broker is not up after {_READY_S:.0f} s") from None
            time.sleep(_LOOK_AGAIN_S)
