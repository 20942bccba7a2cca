"""``haulproof log proof``: a leaf of a log, asked for over the API, with its proof."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from exchange.commands.credentials import Credentials, read_credentials
from exchange.commands.files import check_can_write, read_bytes
from exchange.commands.http import Api
from exchange.commands.printing import print_object
from exchange.exits import CommandStopped, EnvironmentUnfit, WrongUsage
from exchange.private_files import write_private
from haulproof.parser import Parser
from ledger import receipt, tlog_proof, transparent
from ledger.checkpoint import unverified_head
from ledger.note import NoteRefused
from schemas.cose.sign1 import Statement, parse
from schemas.errors import StatementRefused

EXIT_DONE = 0

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORMS = ("json", "receipt", "transparent", "tlog-proof")
_EXAMPLES = """\
examples:
  haulproof log proof --statement trip.cose --api http://127.0.0.1:8080 --out trip.tlog-proof
  haulproof log proof --statement trip.cose --api http://127.0.0.1:8080 --form transparent \\
      --out trip.scitt
  haulproof log proof --record 5d0c... --api http://127.0.0.1:8080 --form json
  haulproof log proof --older checkpoint.old --api http://127.0.0.1:8080 --out grown.receipt
  haulproof log proof --subject v-1 --credentials insurer.json --form json

Anyone may ask by statement, digest, leaf hash or older checkpoint; by subject a grant has to
open it.
haulproof verify checks the file that --out wrote, offline."""


def main(argv: Sequence[str]) -> int:
    """Ask once and write or print the answer."""
    options = _parser().parse_args(argv)
    try:
        _run(options)
    except CommandStopped as stopped:
        print(f"haulproof log proof: {stopped}", file=sys.stderr)
        return stopped.code
    return EXIT_DONE


def _run(options: argparse.Namespace) -> None:
    statement = None if options.statement is None else _statement(options.statement)
    form = _checked_form(options)
    if options.out is not None:
        check_can_write(options.out)
    with Api(_credentials(options)) as api:
        data = _ask(api, options, statement, form)
    if options.out is None:
        print(data.decode().rstrip("\n"))
        return
    write_private(options.out, data)
    print_object({"proof_file": str(options.out), "bytes": len(data)}, options.json)


def _ask(api: Api, options: argparse.Namespace, statement: Statement | None, form: str) -> bytes:
    if options.subject is not None:
        found = api.get_bytes(
            "/v1/log/records", subject=options.subject, cursor=options.cursor, limit=options.limit
        )
        return _checked(found, "json")
    if options.older is not None:
        size = _size(options.older)
        return _checked(api.get_public("/v1/log/consistency", older=size, form=form), form)
    asked = "receipt" if form == "transparent" else form
    if options.leaf is not None:
        path = f"/v1/log/leaves/{_digest(options.leaf, '--leaf')}"
        return _checked(api.get_public(path, form=asked), asked)
    digest = _digest(options.record, "--record") if statement is None else statement.digest.hex()
    answer = _checked(api.get_public(f"/v1/log/records/{digest}", form=asked), asked)
    if form == "transparent" and statement is not None:
        return transparent.attach(statement.raw, [answer])
    return answer


def _checked_form(options: argparse.Namespace) -> str:
    usual = "receipt" if options.older else "json" if options.subject else "tlog-proof"
    form: str = options.form or usual
    if options.older is not None and form not in ("json", "receipt"):
        raise WrongUsage("that a log grew is said as receipt or json: leave --form out")
    if options.subject is not None and form != "json":
        raise WrongUsage("records of a subject come as json: leave --form out")
    if form == "transparent" and options.statement is None:
        raise WrongUsage("the form transparent holds the statement: give it with --statement FILE")
    if form in ("receipt", "transparent") and options.out is None:
        raise WrongUsage(f"the form {form} is no text: say with --out FILE where it goes")
    if options.subject is None and (options.cursor or options.limit):
        raise WrongUsage("--cursor and --limit are for --subject: leave them out")
    return form


def _credentials(options: argparse.Namespace) -> Credentials:
    """Who asks: a client of the exchange where it has to know, otherwise anyone."""
    if options.subject is not None:
        return read_credentials(options.credentials)
    address = options.api or os.environ.get("HAULPROOF_API")
    if address is None and options.credentials is not None:
        address = read_credentials(options.credentials).api
    if address is None:
        raise WrongUsage("say with --api URL which exchange to ask, or set HAULPROOF_API")
    if not address.startswith(("http://", "https://")):
        raise WrongUsage(f"{address} is no address of an exchange: it begins with http://")
    return Credentials(address, "", "")


def _checked(data: bytes, form: str) -> bytes:
    """An answer that is of this form; whether it is true, verify says."""
    try:
        if form == "json":
            return json.dumps(json.loads(data)).encode()  # ASCII, whatever was in it
        if form == "tlog-proof":
            unverified_head(tlog_proof.parse_proof(data).note)
        else:
            receipt.parse(data)
    except (ValueError, RecursionError):
        raise EnvironmentUnfit(
            f"what answers there gives no {form}: check the address of the exchange"
        ) from None
    return data


def _statement(path: Path) -> Statement:
    try:
        return parse(read_bytes(path, "statement"))
    except StatementRefused as refused:
        raise WrongUsage(f"{path} holds no statement: {refused.detail}") from None


def _size(path: Path) -> str:
    """Leaves that a checkpoint claims; the exchange is asked with that, and verify looks closer."""
    try:
        return str(unverified_head(read_bytes(path, "checkpoint"))[0].size)
    except NoteRefused as refused:
        raise WrongUsage(f"{path} holds no checkpoint: {refused}") from None


def _digest(text: str, option: str) -> str:
    if _DIGEST.fullmatch(text) is None:
        raise WrongUsage(f"{option} takes 64 hexadecimal digits in lower case")
    return text


def _parser() -> Parser:
    parser = Parser(
        "haulproof log proof",
        "Ask a log where a record is, and for the proof that it is there.",
        _EXAMPLES,
    )
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--statement", type=Path, metavar="FILE", help="a signed statement")
    asked.add_argument("--record", metavar="DIGEST", help="the SHA-256 of one")
    asked.add_argument("--leaf", metavar="HASH", help="a leaf hash (RFC 9162)")
    asked.add_argument("--older", type=Path, metavar="FILE", help="a checkpoint that you kept")
    asked.add_argument("--subject", metavar="NAME", help="a vehicle, device or organisation")
    parser.add_argument(
        "--form",
        choices=_FORMS,
        help="tlog-proof unless told; receipt: RFC 9942; transparent: the statement with its "
        "receipt (RFC 9943); json",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the proof goes")
    parser.add_argument("--api", metavar="URL", help="the exchange's address, to ask as anyone")
    parser.add_argument(
        "--credentials", type=Path, metavar="FILE", help="what `org add --json` printed"
    )
    parser.add_argument("--cursor", metavar="CURSOR", help="next_cursor of an earlier answer")
    parser.add_argument("--limit", metavar="N", help="most records in one answer")
    parser.add_argument("--json", action="store_true", help="say as JSON what was written")
    return parser
