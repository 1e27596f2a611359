"""Output of commands: text for people, or JSON for programs."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from tessera.kit.wire import wire_name

Fields = Mapping[str, Any]


def fields_of(value: object, *names: str, **renamed: str) -> dict[str, Any]:
    """These attributes of a domain value by their wire names; `renamed` maps attributes to other names."""
    return {renamed.get(name, wire_name(name)): getattr(value, name) for name in names}


def show(sentence: str, fields: Fields, *, as_json: bool) -> None:
    """Print a sentence, and the fields of the result below it."""
    if as_json:
        typer.echo(json.dumps(fields, default=_text))
        return
    typer.echo(sentence)
    width = max(len(_words(name)) for name in fields)
    for name, value in fields.items():
        typer.echo(f"  {_words(name):{width}}  {_text(value)}")


def show_secret(sentence: str, fields: Fields, *, as_json: bool) -> None:
    """Print a result with a secret that is shown only once."""
    show(sentence, fields, as_json=as_json)
    # On standard error, so that standard output contains only JSON for programs and a person still sees the warning.
    typer.echo("Keep the secret now: it will not be shown again.", err=True)


def show_rows(rows: Sequence[Fields], *, as_json: bool, if_none: str, cursor: str | None = None) -> None:
    """Print one line for each record, and the `cursor` of the next page, if any, to standard error."""
    if cursor is not None:
        typer.echo(f"There are more records: add --cursor {cursor}", err=True)
    if as_json:
        typer.echo(json.dumps(rows, default=_text))
        return
    if not rows:
        typer.echo(if_none)
        return
    table = [[_words(name).upper() for name in rows[0]], *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        typer.echo("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _words(name: str) -> str:
    return re.sub("([A-Z]|[0-9]+)", r" \1", name).lower()


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case list() | tuple():
            return ", ".join(map(_text, value))
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return str(value)
