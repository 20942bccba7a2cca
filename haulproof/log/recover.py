"""``haulproof log recover``: how a log stands to what it has signed, and the way back to it."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from exchange.commands.steps import Steps
from exchange.directory import Directory, existing_directory
from exchange.directory_lock import locked
from exchange.embedded.addresses import completed
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.exits import CommandStopped, EnvironmentUnfit, WrongUsage
from exchange.private_files import write_private
from exchange.settings import Settings, load_settings
from exchange.store.database import connect
from exchange.store.migration import migrate
from exchange.transparency import recovery
from exchange.transparency.model import LogDamaged
from exchange.transparency.recovery import Standing, State
from exchange.transparency.repository import missing_records, try_signer_lock
from exchange.transparency.signer import fence_of
from haulproof.parser import Parser
from ledger.fence import Fence, FenceMoved, FenceUncertain
from ledger.note import NOTE_BYTES_MAX, NoteRefused, VKey
from ledger.tile_directory import TileDirectory
from ledger.tiles import TILE_WIDTH, entries_path
from ledger.verified_tree import NotPublished
from schemas.kinds import TYPE_TEXT

EXIT_DONE, EXIT_NOT = 0, 1

_TYPE_OF = {int(kind): text for kind, text in TYPE_TEXT.items()}
_EXAMPLES = """\
examples:
  haulproof log recover --dir ex                       how the log stands
  haulproof log recover --dir ex --from copy           whether the copy makes it whole again
  haulproof log recover --dir ex --from copy --apply   put the missing leaves back
  haulproof log recover --dir ex --missing gone.jsonl  name the records that are still missing
  haulproof log recover --dir ex --set-fence note      set a lost fence to the newest checkpoint

A copy is a directory that haulproof log export or haulproof log mirror has written, or any other
in the layout of C2SP tlog-tiles. End haulproof up first. The tables of a backup of an older version
are brought up to date, as at any start; of the log, nothing is changed without --apply.

exit codes: 0 whole, or the copy can make it so; 1 not; 2 wrong usage; 3 the environment."""


class DirectoryCopy:
    """A copy of the log in a directory, in the layout of C2SP tlog-tiles."""

    def __init__(self, root: Path) -> None:
        self._held = TileDirectory(root)

    def entries(self, n: int, width: int) -> bytes:
        """The bundle of ``width`` entries, or the full one; ``CopyLacks`` when neither is there."""
        for wanted in (width, TILE_WIDTH):
            try:
                return self._held.entries(n, wanted)
            except NotPublished:
                continue
            except OSError as error:
                raise EnvironmentUnfit(
                    f"{error.filename} cannot be read ({error.strerror})"
                ) from None
        raise recovery.CopyLacks(
            f"the copy has no {entries_path(n, width)}: use one that was made later"
        )


@dataclass
class Outcome:
    """What was found and done."""

    standing: Standing
    put_back: int = 0
    can_be_whole: bool = False
    """Whether a copy that was given leads to what was signed."""
    fence_set: bool = False
    missing_file: Path | None = None
    missing: dict[str, int] = field(default_factory=dict)
    """Records that are still missing, by the type text of their kind."""

    @property
    def good(self) -> bool:
        """Whether the log is whole, or the copy would make it so."""
        return self.standing.state is State.WHOLE or self.can_be_whole

    def to_json(self) -> dict[str, Any]:
        """One object, for programs."""
        signed = self.standing.signed
        return {
            "state": self.standing.state.value,
            "log_origin": self.standing.tree.origin,
            "tree_size": self.standing.tree.size,
            "signed_size": None if signed is None else signed.size,
            "lacking": self.standing.lacking,
            "can_be_whole": self.good,
            "put_back": self.put_back,
            "fence_set": self.fence_set,
            "awaited": self.standing.awaited,
            "missing": self.missing,
            "missing_file": None if self.missing_file is None else str(self.missing_file),
        }


def main(argv: Sequence[str]) -> int:
    """Look, and do what was asked for."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.apply and options.copy is None:
        parser.error("--apply needs --from, the copy that leaves come from")
    try:
        with Steps(_tell) as steps:
            outcome = _recover(options, steps)
    except CommandStopped as stopped:
        return _refuse(str(stopped), stopped.code)
    except (recovery.CopyLacks, recovery.CopyUnfit, recovery.FenceUnset, LogDamaged) as refused:
        return _refuse(str(refused), EXIT_NOT)
    except NoteRefused as refused:
        return _refuse(
            f"the fence holds no checkpoint of this log ({refused}): put the newest one, from the "
            "history, a witness or a monitor, into it",
            EXIT_NOT,
        )
    except (OSError, FenceMoved, FenceUncertain) as error:
        return _refuse(f"the fence cannot be used: {error}", EnvironmentUnfit.code)
    except psycopg.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return _refuse(f"the database failed ({reason}): see that it runs", EnvironmentUnfit.code)
    if options.json:
        print(json.dumps(outcome.to_json()))
    else:
        print("\n".join(_sentences(outcome, applied=options.apply)))
    return EXIT_DONE if outcome.good else EXIT_NOT


def _recover(options: argparse.Namespace, steps: Steps) -> Outcome:
    settings = load_settings(options.config, dir=options.dir)
    directory = existing_directory(settings.dir)
    key = VKey.parse(directory.log_vkey())
    with (
        locked(directory),
        _database(settings, directory, steps) as conn,
        fence_of(settings, directory, conn) as fence,
    ):
        if (options.apply or options.set_fence) and not try_signer_lock(conn):
            raise EnvironmentUnfit(
                "a signer works on this database: end every haulproof up that uses it"
            )
        return _work(options, conn, fence, key, steps)


def _work(
    options: argparse.Namespace, conn: Connection[Any], fence: Fence, key: VKey, steps: Steps
) -> Outcome:
    if options.set_fence is not None:
        recovery.set_fence(conn, fence, _read_note(options.set_fence), key)
    steps.step("comparing the tree with what was signed")
    outcome = Outcome(recovery.stand(conn, fence, key), fence_set=options.set_fence is not None)
    signed = outcome.standing.signed
    if options.copy is not None and signed is not None and outcome.standing.state is State.SHORT:
        copy = DirectoryCopy(options.copy)
        recovery.check_copy(conn, copy, signed, _progress(steps, "checking the copy"))
        outcome.can_be_whole = True
        if options.apply:
            telling = _progress(steps, "putting leaves back")
            outcome.put_back = recovery.refill(conn, copy, signed, telling)
            outcome.standing = recovery.stand(conn, fence, key)
    if outcome.standing.awaited:
        steps.step("looking for the records that are missing")
        _name_missing(conn, outcome, options.missing)
    return outcome


@contextmanager
def _database(settings: Settings, directory: Directory, steps: Steps) -> Iterator[Connection[Any]]:
    """In autocommit mode; the embedded server runs for as long.

    A backup may be older than this version: its tables are brought up to date, as at any start.
    """
    if settings.database_url:
        with _connected(settings, settings) as conn:
            yield conn
        return
    server = EmbeddedPostgres(directory)
    steps.step("starting the database")
    server.start()
    try:
        owner = {"database_migration_url": server.migration_url}
        here = completed(settings, directory)
        with _connected(here, here.model_copy(update=owner)) as conn:
            yield conn
    finally:
        server.stop()


@contextmanager
def _connected(settings: Settings, owner: Settings) -> Iterator[Connection[Any]]:
    migrate(owner)
    with closing(connect(settings)) as conn:
        conn.autocommit = True
        yield conn


def _name_missing(conn: Connection[Any], outcome: Outcome, file: Path | None) -> None:
    lines = []
    with conn.transaction():
        for index, kind, digest in missing_records(conn):
            name = _TYPE_OF.get(kind, str(kind))
            outcome.missing[name] = outcome.missing.get(name, 0) + 1
            if file is not None:
                lines.append(json.dumps({"index": index, "type": name, "digest": digest.hex()}))
    if file is not None:
        write_private(file, "".join(f"{line}\n" for line in lines).encode())
        outcome.missing_file = file


def _read_note(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise WrongUsage(f"the file {path} of --set-fence cannot be read: {reason}") from None


def _progress(steps: Steps, doing: str) -> recovery.Progress:
    def tell(done: int, total: int) -> None:
        steps.step(f"{doing}: {done * 10 // max(total, 1) * 10} % of {total} leaves")

    return tell


def _sentences(outcome: Outcome, *, applied: bool) -> Iterator[str]:
    standing = outcome.standing
    signed_size = standing.signed.size if standing.signed is not None else 0
    yield (
        f"Log {standing.tree.origin}: {standing.tree.size} leaves in the database, {signed_size} "
        "were signed."
    )
    if outcome.fence_set:
        yield "The fence was set to the checkpoint in the file."
    if outcome.put_back:
        yield f"{outcome.put_back} leaves were put back, up to the root that was signed."
    if standing.state is State.WHOLE:
        yield "The tree is what was signed: haulproof up goes on from here."
    elif standing.state is State.FORKED:
        yield (
            "The tree has other leaves than were signed: records were given places here after a "
            "restore. Restore the backup once more, then come back before haulproof up runs."
        )
    elif standing.state is State.NO_FENCE:
        yield (
            "The log has signed, and its fence is empty or gone: set it with --set-fence FILE, to "
            "the newest checkpoint that the history, a witness, a monitor or a reader has."
        )
    elif standing.state is State.FENCE_BEHIND:
        yield (
            "The history holds a newer checkpoint than the fence, which was rolled back: set it "
            "with --set-fence FILE, to the newest checkpoint that the history, a witness, a "
            "monitor or a reader has."
        )
    elif outcome.can_be_whole and not applied:
        yield (
            f"{standing.lacking} leaves are missing, and the copy has them all: it leads to the "
            "root that was signed. Put them back with --apply."
        )
    else:
        yield (
            f"{standing.lacking} leaves are missing: give a copy of the published log with "
            "--from DIR. Until then nothing is signed."
        )
    if standing.awaited:
        yield from _of_missing(outcome)


def _of_missing(outcome: Outcome) -> Iterator[str]:
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(outcome.missing.items()))
    yield f"The records of {outcome.standing.awaited} leaves are missing: {kinds}."
    yield (
        "Have the carriers run haulproof agent resend; what comes again returns to its own leaf. "
        "Of the rest, the log keeps kind and digest."
    )
    if outcome.missing_file is not None:
        yield f"Each of them is named in {outcome.missing_file}."


def _tell(text: str) -> None:
    print(f"haulproof log recover: {text}", file=sys.stderr, flush=True)


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof log recover: {sentence}", file=sys.stderr)
    return code


def _parser() -> Parser:
    parser = Parser(
        "haulproof log recover",
        "See how a log stands to what it has signed, and make it whole again from a copy.",
        _EXAMPLES,
    )
    parser.add_argument("--dir", type=Path, metavar="DIR", help="the exchange's directory")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the exchange's settings")
    parser.add_argument(
        "--from", dest="copy", type=Path, metavar="DIR", help="a copy of the published log"
    )
    parser.add_argument(
        "--apply", action="store_true", help="put the missing leaves back; without it, only look"
    )
    parser.add_argument(
        "--set-fence", type=Path, metavar="FILE", help="set a lost fence to this signed checkpoint"
    )
    parser.add_argument(
        "--missing", type=Path, metavar="FILE", help="name every missing record, as JSON lines"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    return parser
