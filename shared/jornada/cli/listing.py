"""Lists for people as tables, for programs as tab-separated lines."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under their columns; where the output is no terminal, without a head and never cut."""
    console = Console()
    texts = [[_text(value) for value in row] for row in rows]
    if not console.is_terminal:
        for row in texts:
            typer.echo("\t".join(row))
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in texts:
        table.add_row(*(escape(text) for text in row))
    console.print(table)


def plain(value: object) -> str:
    """Text without control characters: what an event says is its sender's."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, frozenset):
        return ",".join(sorted(str(item) for item in value))
    return plain(value)
