"""Options that several commands share, and times as people write them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from exchange.exits import WrongUsage
from schemas.limits import TIME_MS_MAX

CredentialsFile = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        readable=False,
        metavar="FILE",
        help="What `org add --json` printed; otherwise HAULPROOF_API, HAULPROOF_CLIENT_ID and "
        "HAULPROOF_CLIENT_SECRET.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")]
KeyFile = Annotated[
    str, typer.Option("--key", metavar="FILE", help="The organisation's private key (PEM).")
]


def time_ms(text: str, option: str) -> int:
    """UTC ms of an ISO 8601 date or time, UTC unless it names a zone; ``WrongUsage``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            f"{option} {text} is no time: write 2027-12-31 or 2027-12-31T12:00:00Z"
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        ms = int(at.timestamp() * 1_000)
    except (OverflowError, ValueError):
        ms = -1
    if not 0 <= ms <= TIME_MS_MAX:
        raise WrongUsage(f"{option} {text} is outside 1970 to 9999")
    return ms


def time_text(text: str | None, option: str) -> str | None:
    """The same as the API reads it; None stays None."""
    if text is None:
        return None
    at = datetime.fromtimestamp(time_ms(text, option) / 1_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
