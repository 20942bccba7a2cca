"""The bare broker is a real one, and is gone when the bench is done with it."""

import socket
from pathlib import Path

import pytest

from haulproof.bench.limits.bare_broker import bare_broker
from haulproof.bench.limits.echo import echo_seconds


def test_echo_comes_back_from_a_broker_that_then_ends(tmp_path: Path) -> None:
    with bare_broker(tmp_path / "bare") as port:
        took = echo_seconds(port, b"payload", 3)

    assert len(took) == 3
    assert min(took) > 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
