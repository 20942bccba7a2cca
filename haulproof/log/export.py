"""``haulproof log export``: an exchange's log as a directory that any web server can host."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import psycopg

from exchange.directory import Directory, existing_directory
from exchange.embedded.addresses import completed
from exchange.exits import CommandStopped, EnvironmentUnfit
from exchange.settings import load_settings
from exchange.store.database import connect
from exchange.transparency.model import LogDamaged
from exchange.transparency.stored_log import StoredLog
from exchange.witnesses.model import has_quorum
from haulproof.log.copy_step import Copied, copy_once
from haulproof.log.telling import complain, say, sentence_of
from haulproof.log.trust import Trust
from haulproof.parser import Parser
from ledger.note import VKey
from ledger.policy import Policy
from ledger.tile_directory import writing

_EXAMPLES = """\
examples:
  haulproof log export /srv/log --dir /var/lib/haulproof
  haulproof log export /srv/log --config exchange.toml --json

What is new since the last time is added, whole files only, the checkpoint last. It can be killed at
any moment and called again; the exchange may go on working. Every tile and entry is checked against
the signed checkpoint before it is written.

exit codes: 0 done, 1 the log contradicts its checkpoint, 2 wrong usage, 3 no database, no disk."""


def main(argv: Sequence[str]) -> int:
    """Export what is new."""
    options = _parser().parse_args(argv)
    try:
        copied = _export(options)
    except CommandStopped as stopped:
        return complain("export", stopped)
    except LogDamaged as damaged:
        return complain("export", CommandStopped(str(damaged)))
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()
        return complain(
            "export",
            EnvironmentUnfit(
                f"the exchange's database does not answer ({said[0] if said else 'no reason'}): "
                "start the exchange with haulproof up, or check database_url"
            ),
        )
    except Exception as error:
        return complain("export", sentence_of(error, "the exchange's database", options.folder))
    say(copied.members(options.folder), copied.line(options.folder), as_json=options.json)
    return 0


def _export(options: Namespace) -> Copied:
    settings = load_settings(options.config, dir=options.dir)
    directory = existing_directory(settings.dir)
    settings = completed(settings, directory)
    trust = Trust(Policy(logs=(_log_key(directory),)))
    with writing(options.folder) as copy, connect(settings) as conn:
        conn.autocommit = True
        conn.read_only = True
        stored = StoredLog(conn, quorum=has_quorum(settings))
        return copy_once("export", stored, copy, trust.open)


def _log_key(directory: Directory) -> VKey:
    return VKey.parse(directory.log_vkey())


def _parser() -> Parser:
    parser = Parser(
        "haulproof log export",
        "Write the published log of an exchange into a directory, or add what is new to it.",
        _EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the log goes")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="the exchange's directory")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the exchange's settings")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    return parser
