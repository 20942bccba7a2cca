"""Makes schemas/catalogue_table.py from schemas/catalogue.yaml, so that the truck needs no YAML.

Run ``python -m tests.schemas.catalogue_table_generator`` after editing the catalogue.
"""

from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parents[2] / "schemas"
CATALOGUE = SCHEMAS / "catalogue.yaml"
TABLE = SCHEMAS / "catalogue_table.py"

_HEAD = '''"""Made from catalogue.yaml by tests/schemas/catalogue_table_generator.py: edit that."""

VERSION = {version}

# id, path, unit, scale, storage, rule, fresh_ms, spn, driver class, names of values
SIGNAL_ROWS: tuple[
    tuple[int, str, str, str, str, str, int, int | None, bool, tuple[str, ...]], ...
] = (
'''


def render(catalogue: dict[str, Any]) -> str:
    """The Python source of the table."""
    lines = [_HEAD.format(version=catalogue["version"])]
    lines += [f"    {_signal_row(signal)},\n" for signal in catalogue["signals"]]
    lines.append(")\n\nEVENT_ROWS: tuple[tuple[int, str], ...] = (\n")
    lines += [f'    ({event["id"]}, "{event["name"]}"),\n' for event in catalogue["events"]]
    lines.append(")\n")
    return "".join(lines)


def _signal_row(signal: dict[str, Any]) -> str:
    names = tuple(signal.get("values", ()))
    cells = (
        signal["id"],
        signal["path"],
        signal["unit"],
        signal["scale"],
        signal["storage"],
        signal["rule"],
        signal["fresh_ms"],
        signal.get("spn"),
        signal.get("class") == "driver",
        names,
    )
    return "(" + ", ".join(_literal(cell) for cell in cells) + ")"


def _literal(cell: object) -> str:
    if isinstance(cell, tuple):
        inner = ", ".join(_literal(item) for item in cell)
        return f"({inner},)" if len(cell) == 1 else f"({inner})"
    return f'"{cell}"' if isinstance(cell, str) else repr(cell)


if __name__ == "__main__":
    TABLE.write_text(render(yaml.safe_load(CATALOGUE.read_text())))
