"""``haulproof broker``: the files that a broker of the operator's own needs to know devices."""

import sys
import time
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from exchange.brokers.mosquitto import MosquittoFolder, tell_to_read_again
from exchange.brokers.nats import write_accounts
from exchange.commands.options import AsJson
from exchange.commands.printing import print_object
from exchange.devices.repository import mosquitto_hashes
from exchange.directory import Directory, claim_directory, existing_directory, open_directory
from exchange.directory_lock import locked
from exchange.embedded.addresses import completed
from exchange.exits import WrongUsage
from exchange.settings import Settings, load_settings
from exchange.store.database import connect

app = typer.Typer(help="A broker of your own, instead of the embedded one.", no_args_is_help=True)

_LOOK_EVERY_S = 1.0

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.")]
ExchangeDirectory = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="The exchange's directory.")
]
Config = Annotated[Path | None, typer.Option("--config", help="The exchange's settings.")]


@app.callback()
def _group() -> None:
    """A broker of your own, instead of the embedded one."""


@app.command("mosquitto")
def mosquitto(
    folder: Folder,
    directory: ExchangeDirectory = None,
    config: Config = None,
    pid_file: Annotated[
        Path | None,
        typer.Option(
            "--pid-file", metavar="FILE", help="Mosquitto's, if not FOLDER/mosquitto.pid."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until Ctrl-C, whenever a device is admitted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write mosquitto.conf and acl if they are missing; bring passwords and certificate up to date.

    A Mosquitto that runs is told to read them again.

    Example: haulproof broker mosquitto /etc/mosquitto/haulproof --config exchange.toml --follow
    """
    settings = load_settings(config, dir=directory)
    if not settings.mqtt_url:
        raise WrongUsage("the exchange uses no Mosquitto: set mqtt_url, and name it with --config")
    settings = completed(settings, _directory(settings))
    files = MosquittoFolder(folder, settings, Directory(settings.dir))
    files.prepare()
    kept = _Kept(files, pid_file or files.pid_file)
    kept.update(devices := _devices(settings))
    print_object(
        {
            "configuration": str(files.configuration),
            "devices": None if devices is None else len(devices),
        },
        as_json,
    )
    while follow:
        time.sleep(_LOOK_EVERY_S)
        kept.update(_devices(settings))


@app.command("nats")
def nats(folder: Folder, directory: ExchangeDirectory = None, as_json: AsJson = False) -> None:
    """Write haulproof-accounts.conf (0600), which a NATS configuration includes.

    With it and the setting nats_callout the exchange decides who a device is.

    Example: haulproof broker nats /etc/nats --dir ex
    """
    settings = load_settings(None, dir=directory)
    print_object({"accounts": str(write_accounts(folder, _directory(settings)))}, as_json)


class _Kept:
    """What Mosquitto has to read again, written when it changed."""

    def __init__(self, files: MosquittoFolder, pid_file: Path) -> None:
        self._files = files
        self._pid_file = pid_file
        self._written: dict[str, str] | None = None
        self._told_away = False

    def update(self, devices: dict[str, str] | None) -> None:
        """Write and have Mosquitto read; without a database, devices stay as they are."""
        changed = self._files.copy_certificate()
        if devices is None and not self._told_away:
            self._told_away = True
            _tell("the database does not answer; the devices stay as they are in the file")
            self._files.write_passwords(None)
        if devices is not None and devices != self._written:
            self._told_away = False
            self._files.write_passwords(devices)
            if self._written is not None:
                _tell(f"{len(devices)} devices")
            self._written, changed = devices, True
        if changed:
            tell_to_read_again(self._pid_file)


def _directory(settings: Settings) -> Directory:
    """The exchange's directory; made when ``up`` has not, which needs the broker first."""
    if Directory(settings.dir).policy.exists():
        return existing_directory(settings.dir)
    with locked(claim_directory(settings)):
        return open_directory(settings)


def _devices(settings: Settings) -> dict[str, str] | None:
    """Password hashes by user name; None without a database, or with one that is not made yet."""
    try:
        with connect(settings) as conn:
            return mosquitto_hashes(conn)
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return None


def _tell(text: str) -> None:
    print(f"haulproof broker: {text}", file=sys.stderr, flush=True)
