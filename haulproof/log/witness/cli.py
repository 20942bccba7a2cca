"""``haulproof log witness``: cosigns the checkpoints of the logs it knows, until Ctrl-C."""

import argparse
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exchange.exits import CommandStopped, EnvironmentUnfit, WrongUsage
from haulproof.log.witness.folder import open_folder
from haulproof.log.witness.server import serve
from haulproof.log.witness.service import Witness
from haulproof.parser import Parser
from ledger.note import NoteSigner
from ledger.witness.judgement import KnownLog
from ledger.witness.known_logs import LOGS_BYTES_MAX, KnownLogsRefused, parse_known_logs

_LISTEN = "127.0.0.1:7380"
_EXAMPLES = """\
examples:
  haulproof log witness --dir w --name witness.example.com --logs policy.txt
  haulproof log witness --dir w --logs logs.txt --listen 127.0.0.1:7380 --json

--logs is a file of verifier keys, one a line, or a C2SP tlog-policy (its log lines), or a C2SP
tlog-list. The first start makes the folder, two keys (Ed25519, ML-DSA-44) of mode 0600 and the
state; later starts go on from it. Never bring back an older state: a witness that forgot what it
cosigned is none.

Once ready it prints: name, url, vkeys, logs, dir."""


def main(argv: Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM."""
    options = _parser().parse_args(argv)
    try:
        return _serve(options)
    except CommandStopped as stopped:
        print(f"haulproof log witness: {stopped}", file=sys.stderr)
        return stopped.code


def _serve(options: argparse.Namespace) -> int:
    logs = _read_logs(options.logs)
    host, port = _address(options.listen)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    signers, store = open_folder(options.dir.absolute(), options.name)
    try:
        listening = _listen(host, port)
        witness = Witness(signers, store, logs, lambda: int(time.time()), time.monotonic)
        announcement = _announcement(signers, logs, listening, options.dir.absolute())
        text = json.dumps(announcement) if options.json else _for_people(announcement)
        signal.signal(signal.SIGTERM, lambda *_: None)  # once it has ended, uvicorn raises it again
        serve(witness, listening, lambda: print(text, flush=True))
    finally:
        store.close()
    return 0


def _read_logs(path: Path) -> dict[str, KnownLog]:
    try:
        with path.open("rb") as file:
            return parse_known_logs(file.read(LOGS_BYTES_MAX + 1))
    except KnownLogsRefused as refused:
        raise WrongUsage(f"{path} cannot be used: {refused}") from None
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise WrongUsage(f"the file of logs {path} cannot be read: {reason}") from None


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not host or int(port) > 65_535:
        raise WrongUsage(f"--listen is HOST:PORT, for example {_LISTEN}, not {text}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise EnvironmentUnfit(
            f"it cannot listen on {host} port {port} ({error.strerror}): stop what uses it, "
            "or choose another --listen"
        ) from None


def _announcement(
    signers: Sequence[NoteSigner], logs: dict[str, KnownLog], listening: socket.socket, folder: Path
) -> dict[str, Any]:
    host, port = listening.getsockname()[:2]
    return {
        "name": signers[0].vkey.name,
        "url": f"http://{f'[{host}]' if ':' in host else host}:{port}",
        "vkeys": [str(signer.vkey) for signer in signers],
        "logs": sorted(logs),
        "dir": str(folder),
    }


def _for_people(told: dict[str, Any]) -> str:
    lines = [f"  name  {told['name']}", f"  url   {told['url']}", f"  dir   {told['dir']}"]
    lines += [f"  log   {origin}" for origin in told["logs"]]
    lines += [f"  vkey  {vkey}" for vkey in told["vkeys"]]
    return "\n".join(["The witness is ready.", *lines, "Ctrl-C ends it."])


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "haulproof log witness",
        "Cosign the checkpoints of logs that you know (C2SP tlog-witness), until Ctrl-C.",
        _EXAMPLES,
    )
    parser.add_argument("--dir", type=Path, required=True, help="the witness's folder")
    parser.add_argument("--logs", type=Path, required=True, metavar="FILE", help="logs it cosigns")
    parser.add_argument(
        "--name", help="its name, like witness.example.com; once, at the first start"
    )
    parser.add_argument(
        "--listen", default=_LISTEN, metavar="HOST:PORT", help=f"where it listens; {_LISTEN}"
    )
    parser.add_argument("--json", action="store_true", help="once ready, print one JSON line")
    return parser
