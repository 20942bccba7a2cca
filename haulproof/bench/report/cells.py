"""How figures are written in a table."""

from collections.abc import Mapping, Sequence


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table, Markdown; every row has as many cells as there are heads."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None) -> str:
    """Whole from a thousand on, else with one place; a dash for what could not be measured."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1_000 else f"{value:,.1f}"


def ratio(value: float | None) -> str:
    """Two places; a dash for what could not be measured."""
    return "–" if value is None else f"{value:.2f}"


def never(value: float | None) -> str:
    """A number, or that it was never reached."""
    return "never" if value is None else number(value)


def mb(size: int) -> str:
    """Bytes as MB (10^6)."""
    return f"{size / 1e6:,.1f}"


def settings(settings: Mapping[str, str]) -> str:
    """Names and values in a row."""
    return ", ".join(f"`{name}` {value}" for name, value in sorted(settings.items()))
