"""What the parts' stores and links raise when they fail, as they raise it."""

import errno
import sqlite3

import aiomqtt
import psycopg

from exchange.intake.queue import BrokerError
from ledger.fence import FenceUncertain


def database_away() -> Exception:
    return psycopg.OperationalError("server closed the connection unexpectedly")


def broker_away() -> Exception:
    return BrokerError("nats: connection closed")


def disk_fails() -> Exception:
    """Read as an error of SQLite by the outbox's owner, and as one of the system by the fence's."""
    return _DiskFails(errno.EIO, "Input/output error")


def fence_unknown() -> Exception:
    return FenceUncertain("replacing the fence failed: Input/output error")


def link_lost() -> Exception:
    return aiomqtt.MqttError("the connection was lost")


class _DiskFails(OSError, sqlite3.OperationalError):
    """Both at once."""
