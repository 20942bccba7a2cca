"""What commands print: a table or lines for people, one JSON object with ``--json``."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 200


def print_object(members: Mapping[str, Any], as_json: bool) -> None:
    """One object: its members as lines, or as one line of JSON."""
    if as_json:
        print(json.dumps(members))
        return
    width = max(map(len, members), default=0)
    for name, value in members.items():
        print(f"{name:<{width}}  {_plain(value)}")


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    whole: Sequence[str],
    if_empty: str,
) -> None:
    """A table, or a sentence for none; the columns named in ``whole`` are never cut."""
    if not rows:
        print(if_empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column in whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(value)) for value in row))
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    Console(width=width, highlight=False).print(table)


def _plain(value: object) -> str:
    """Text from outside must not steer the terminal."""
    if value is None or value in ([], ()):
        return "-"
    if isinstance(value, list | tuple):
        between = "; " if isinstance(value[0], dict) else ", "
        return between.join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    return "".join(sign if sign.isprintable() else "?" for sign in str(value))
