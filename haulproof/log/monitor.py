"""``haulproof log monitor``: follow a log over HTTP and notice when it forks."""

import os
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from exchange.exits import CommandStopped
from haulproof.log import monitor_state
from haulproof.log.following import follow
from haulproof.log.http_log import open_log
from haulproof.log.looking import Seen, look
from haulproof.log.options import add_every, add_trust
from haulproof.log.telling import Progress, complain, counted, say, shown
from haulproof.log.trust import Trust, trust_of
from haulproof.parser import Parser
from ledger.verified_tree import PublishedLog

_EXAMPLES = """\
examples:
  haulproof log monitor https://example.com/log --policy policy.txt
  haulproof log monitor https://example.com/log --log-key 'example.com/log+530d903a+Aek...' --once
  haulproof log monitor file:///srv/mirror --policy policy.txt --once --json

Each new checkpoint has to be signed by a key that you trust, and to continue the one before; each
entry has to be the one that the tree has a hash of. A log that forked ends the command with exit
code 1 and both signed checkpoints in a file.

exit codes: 0 all is well, 1 it is not, 2 wrong usage, 3 no log to be reached, 130 interrupted."""


def main(argv: Sequence[str]) -> int:
    """Follow the log; with ``--once`` look once."""
    options = _parser().parse_args(argv)
    try:
        return _follow(options)
    except CommandStopped as stopped:
        return complain("monitor", stopped)


def _follow(options: Namespace) -> int:
    trust = trust_of(options.policy, options.log_key)
    state = options.state or _usual_state(options.url)
    with open_log(options.url) as log:

        def look_and_say() -> None:
            seen = _look(log, trust, state)
            say(_members(seen, trust, state), _line(seen, trust), as_json=options.json)

        return follow("monitor", look_and_say, options, state, once=options.once)


def _look(log: PublishedLog, trust: Trust, state: Path) -> Seen:
    told: list[Progress] = []

    def progress(done: int, total: int) -> None:
        if not told:
            told.append(Progress("monitor", "reading entries,", total))
        told[0](done)

    return look(
        log,
        trust,
        monitor_state.load(state),
        lambda remembered: monitor_state.save(state, remembered),
        progress,
    )


def _members(seen: Seen, trust: Trust, state: Path) -> dict[str, Any]:
    head = seen.checkpoint.head
    return {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "entries_read": seen.entries_read,
        "kinds": dict(seen.kinds.most_common()),
        "older": seen.older,
        "cosigned": trust.cosigners(seen.checkpoint),
        "forked": False,
        "state": str(state),
    }


def _line(seen: Seen, trust: Trust) -> str:
    head, names = seen.checkpoint.head, trust.cosigners(seen.checkpoint)
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in seen.kinds.most_common())
    read = counted(seen.entries_read, "new entry", "new entries")
    cosigned = f", cosigned by {', '.join(names)}" if names else ""
    older = ", an older checkpoint of the same history" if seen.older else ""
    return (
        f"{at}  {shown(head.origin)}  {counted(head.size, 'leaf', 'leaves')}, "
        f"root {head.root.hex()[:16]}, {read}{f' ({kinds})' if kinds else ''}{cosigned}{older}"
    )


def _usual_state(url: str) -> Path:
    """One file for each address, below the user's folder for state."""
    held = os.environ.get("XDG_STATE_HOME")
    folder = Path(held) if held else Path.home() / ".local" / "state"
    place = folder / "haulproof" / "monitor"
    with suppress(OSError):  # what stands in the way is told when the state is written
        place.mkdir(parents=True, exist_ok=True)
    return place / f"{sha256(url.rstrip('/').encode()).hexdigest()[:16]}.json"


def _parser() -> Parser:
    parser = Parser(
        "haulproof log monitor",
        "Follow a log: check each new checkpoint and every entry, and notice when it forks.",
        _EXAMPLES,
    )
    parser.add_argument("url", metavar="URL", help="where the log is: http, https or file")
    add_trust(parser)
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="what was seen so far (unless told: below ~/.local/state/haulproof/monitor)",
    )
    parser.add_argument("--once", action="store_true", help="look once, for cron")
    add_every(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a look, for programs")
    return parser
