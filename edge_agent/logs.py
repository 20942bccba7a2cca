"""Logs to standard error: JSON lines, or plain sentences when a person is watching.

No message and no field ever holds a position, a VIN or a secret.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def extras(record: logging.LogRecord) -> dict[str, object]:
    """The fields that a log call gave with ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event and the call's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class SentenceFormatter(logging.Formatter):
    """A sentence for a person, its fields after a colon."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        fields = ", ".join(f"{key} {value}" for key, value in extras(record).items())
        text = record.getMessage()
        return f"{text}: {fields}" if fields else text


def set_up(stream: TextIO | None = None) -> None:
    """Log everything from ``info`` up; libraries only from ``warning``."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(SentenceFormatter() if target.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("edge_agent").setLevel(logging.INFO)
    logging.getLogger("can").setLevel(logging.ERROR)
