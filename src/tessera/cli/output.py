"""Output of commands: text for people, or JSON for programs."""

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import typer

from tessera.kit.control_characters import visible
from tessera.kit.wire import wire_name

Fields = Mapping[str, Any]
# The longest cell of a table in a terminal; a ClientId has 47 characters.
MAX_CELL = 48


def fields_of(value: object, *names: str, **renamed: str) -> dict[str, Any]:
    """These attributes of a domain value by their wire names; `renamed` maps attributes to other names."""
    return {renamed.get(name, wire_name(name)): getattr(value, name) for name in names}


def show(sentence: str, fields: Fields, *, as_json: bool) -> None:
    """Print a sentence, and the fields of the result below it."""
    if as_json:
        _print_json(fields)
        return
    typer.echo(visible(sentence))
    width = max(len(_words(name)) for name in fields)
    for name, value in fields.items():
        typer.echo(f"  {_words(name):{width}}  {_text(value)}")


def show_secret(sentence: str, fields: Fields, *, as_json: bool) -> None:
    """Print a result with a secret that is shown only once."""
    show(sentence, fields, as_json=as_json)
    # On standard error, so that standard output contains only JSON for programs and a person still sees the warning.
    typer.echo("Keep the secret now: it will not be shown again.", err=True)


def show_rows(rows: Sequence[Fields], *, as_json: bool, if_none: str, cursor: str | None = None) -> None:
    """Print one line for each record, and the `cursor` of the next page, if any, to standard error.

    A table in a terminal has no cells longer than MAX_CELL, and only the first columns that fit.
    """
    if as_json:
        _print_json(rows)
    elif rows:
        _print_table(rows)
    elif cursor is None:  # a page by several filters may be empty although more follow
        typer.echo(if_none)
    if cursor is not None:
        typer.echo(f"There are more records: add --cursor {cursor}", err=True)


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, default=_json_value))


def _json_value(value: object) -> object:
    # A number, as in the management API. Up to 15 digits, the shortest text of the float is the decimal itself.
    return float(value) if isinstance(value, Decimal) else _text(value)


def _print_table(rows: Sequence[Fields]) -> None:
    names = [_words(name) for name in rows[0]]
    cells = [[_text(value) for value in row.values()] for row in rows]
    in_terminal = sys.stdout.isatty()
    if in_terminal:
        table = [*_stacked(names), *([_cut(cell) for cell in line] for line in cells)]
    else:
        table = [[name.upper() for name in names], *cells]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    count = _columns_that_fit(widths, shutil.get_terminal_size().columns) if in_terminal else len(widths)
    for line in table:
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        typer.echo("  ".join(padded[:count]).rstrip())
    if omitted := names[count:]:
        typer.echo(f"Omitted for lack of space: {', '.join(omitted)} (--json prints everything)", err=True)


def _stacked(names: Sequence[str]) -> list[list[str]]:
    """The headings with one word in each line, so that columns are as narrow as their cells."""
    headings = [name.upper().split() for name in names]
    height = max(map(len, headings))
    return [list(line) for line in zip(*([""] * (height - len(words)) + words for words in headings), strict=True)]


def _columns_that_fit(widths: Sequence[int], available: int) -> int:
    count = len(widths)
    while count > 1 and sum(widths[:count]) + 2 * (count - 1) > available:
        count -= 1
    return count


def _cut(cell: str) -> str:
    if _width(cell) <= MAX_CELL:
        return cell
    cell = cell[: MAX_CELL - 1]
    while _width(cell) >= MAX_CELL:
        cell = cell[:-1]
    return f"{cell}…"


def _width(text: str) -> int:
    """The number of columns of a text in a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me") for character in text)


def _words(name: str) -> str:
    return re.sub("([A-Z]|[0-9]+)", r" \1", name).lower()


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = [f"{key}={item}" for key, item in value.items()]
    match value:
        case None | [] | ():
            return "-"
        case Decimal():  # dollars
            return f"{value:.2f}"
        case list() | tuple():
            return ", ".join(map(_text, value))
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return visible(str(value))
