"""``haulproof log mirror``: a verified copy of a log, as a directory for any web server."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from haulproof.log.copy_step import copy_once
from haulproof.log.following import follow
from haulproof.log.http_log import open_log
from haulproof.log.options import add_every, add_trust
from haulproof.log.telling import complain, say, sentence_of
from haulproof.log.trust import trust_of
from haulproof.parser import Parser
from ledger.tile_directory import writing

_EXAMPLES = """\
examples:
  haulproof log mirror https://example.com/log /srv/mirror --policy policy.txt
  haulproof log mirror https://example.com/log /srv/mirror --policy policy.txt --follow
  haulproof log monitor file:///srv/mirror --policy policy.txt --once

Nothing is written that the log's signed checkpoint does not cover, and nothing is ever changed. It
can be killed at any moment and goes on where it was. A log that forked ends it with exit code 1 and
both signed checkpoints in a file beside the directory.

exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 no log or no disk, 130 interrupted."""


def main(argv: Sequence[str]) -> int:
    """Copy what is new; with ``--follow`` go on until Ctrl-C."""
    options = _parser().parse_args(argv)
    try:
        return _follow(options)
    except Exception as error:
        return complain("mirror", sentence_of(error, options.url, options.dir))


def _follow(options: Namespace) -> int:
    trust = trust_of(options.policy, options.log_key)
    with open_log(options.url) as log, writing(options.dir) as copy:

        def copy_and_say() -> None:
            copied = copy_once("mirror", log, copy, trust.open)
            say(copied.members(copy.root), copied.line(copy.root), as_json=options.json)

        return follow("mirror", copy_and_say, options, options.dir, once=not options.follow)


def _parser() -> Parser:
    parser = Parser(
        "haulproof log mirror",
        "Keep a verified copy of a log in a directory.",
        _EXAMPLES,
    )
    parser.add_argument("url", metavar="URL", help="where the log is: http, https or file")
    parser.add_argument("dir", type=Path, metavar="DIR", help="where the copy goes")
    add_trust(parser)
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    add_every(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a look, for programs")
    return parser
