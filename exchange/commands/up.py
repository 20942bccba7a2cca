"""``haulproof up``: the exchange in the foreground, until Ctrl-C."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.broker_address import told_to_agents
from exchange.commands.steps import Steps
from exchange.directory import Directory
from exchange.kept_ports import read_ports
from exchange.private_files import write_private
from exchange.settings import Settings, load_settings
from exchange.supervisor import Interrupted, Supervisor

_EXIT_INTERRUPTED = 130
_SHOWN_MAX = 200

app = typer.Typer(add_completion=False, rich_markup_mode=None)


_EXAMPLES = """\b
Examples:
  haulproof up --dir ex                    keys, ports and data are made in ex and kept
  haulproof up --dir ex --json             for programs: one JSON line once ready
  HAULPROOF_API_PORT=8080 haulproof up     any setting from the environment
  haulproof up --config exchange.toml      or from a file: api_port = 8080

\b
Settings: dir, origin, organisation, api_host, api_port, mqtt_host, mqtt_port,
public_host, server_names, database_url, nats_url, mqtt_url, intake_workers, …
"""


@app.command(epilog=_EXAMPLES)
def up(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            readable=False,  # whether it can be used is judged with a sentence, as exit code 3
            help="The exchange's directory, made when there is none; haulproof-data unless told.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", readable=False, help="Settings as a TOML file.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Once ready, print one JSON line.")
    ] = False,
) -> None:
    """Run the exchange until Ctrl-C, with its own broker and database unless URLs are configured.

    Once ready it prints: api, mqtt, log_origin, log_vkey, log_vkey_ml_dsa,
    policy_file, dir.
    """
    settings = load_settings(config, dir=directory)
    steps = Steps(_tell)

    def ready(made: Directory, complete: Settings) -> None:
        announcement = _announcement(made, complete)
        text = json.dumps(announcement)
        write_private(made.announcement, f"{text}\n".encode())
        steps.end()
        print(text if as_json else _for_people(announcement), flush=True)

    try:
        Supervisor(settings, config, steps.step, _tell).run(ready)
    except Interrupted:
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    finally:
        steps.end()


def _announcement(directory: Directory, settings: Settings) -> dict[str, str]:
    ports = read_ports(directory)
    host, port = told_to_agents(settings, 0 if ports is None else ports.mqtt)
    return {
        "api": f"http://{_in_url(settings.api_address)}:{settings.api_port}",
        "mqtt": f"mqtts://{_in_url(host)}:{port}",
        "log_origin": directory.origin or "",
        "log_vkey": directory.log_vkey(),
        "log_vkey_ml_dsa": directory.log_ml_dsa_vkey(),
        "policy_file": str(directory.policy),
        "dir": str(directory.root),
    }


def _for_people(announcement: dict[str, str]) -> str:
    lines = [f"  {name:<16}{_shortened(value)}" for name, value in announcement.items()]
    return "\n".join(["The exchange is ready.", *lines, "Ctrl-C ends it."])


def _shortened(value: str) -> str:
    """A verifier key of 1,800 characters is told by its name and id; ``--json`` has it whole."""
    return value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tell(text: str) -> None:
    print(f"haulproof up: {text}", file=sys.stderr, flush=True)
