"""A line of a table as cells. One line is one row: a stray quote costs no line but its own."""

import csv


def cells_of(line: str, delimiter: str = ",") -> list[str]:
    """The cells of a line (RFC 4180 quoting); none when its quotes do not close."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
