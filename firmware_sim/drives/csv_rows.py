"""CSV as loggers write it: comma, semicolon or tab, and what its first lines say of it."""

from collections.abc import Iterator, Sequence

from firmware_sim.drives.cells import cells_of
from firmware_sim.drives.source import DriveSource

_DELIMITERS = ",;\t"
_HEADER_CELLS_MAX = 1_000
_RECOGNISED_BY_ROWS = 10
_NAME_CHARACTERS_MAX = 100


def header_in(head: bytes) -> Sequence[str]:
    """The names of a table that a file begins with; none when it does not look like a table.

    A table is text: a row of short names, and rows below it that are about as long.
    """
    if b"\0" in head:
        return ()
    lines = [line for line in head.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    first = lines[0] if lines else ""
    delimiter = _delimiter_of(first)
    cells = _cells_of(first, delimiter)
    if not 2 <= len(cells) <= _HEADER_CELLS_MAX or max(map(len, cells)) > _NAME_CHARACTERS_MAX:
        return ()
    rows = lines[1 : 1 + _RECOGNISED_BY_ROWS]
    widths = [len(_cells_of(row, delimiter)) for row in rows]
    fitting = sum(1 for width in widths if len(cells) <= 2 * width <= 2 * len(cells) + 2)
    named = [cell for cell in cells if cell and not is_number(cell)]
    return cells if 2 * fitting >= len(rows) and 2 * len(named) > len(cells) else ()


def rows(source: DriveSource) -> Iterator[list[str]]:
    """Rows of cells, the header first; empty lines left out, decimal commas as points."""
    delimiter = ""
    for line in source.lines():
        if not line.strip():
            continue
        delimiter = delimiter or _delimiter_of(line)
        cells = cells_of(line, delimiter)
        yield [cell.replace(",", ".") for cell in cells] if delimiter == ";" else cells


def rows_below_header(source: DriveSource) -> Iterator[list[str]]:
    """The rows without the header."""
    found = rows(source)
    next(found, None)
    return found


def is_number(text: str) -> bool:
    """Whether this is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _cells_of(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _delimiter_of(line: str) -> str:
    return max(_DELIMITERS, key=line.count)
