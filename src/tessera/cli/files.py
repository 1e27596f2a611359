"""Where commands write what may be of any length: a file, or standard output."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from tessera.cli.progress import bar
from tessera.cli.starting import start
from tessera.cli.units import Place, at_organization
from tessera.kit.db.unit_of_work import UnitOfWork

Output = Annotated[
    Path | None, typer.Option("--output", help="Where to put it; standard output unless given.", dir_okay=False)
]

Content = Callable[[Place], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Length:
    """How long a file is: the number of its records, and how many of them a part has."""

    count: Callable[[UnitOfWork], Awaitable[int]]
    at_once: int


def save(organization: str, file: Path | None, content: Content, length: Length | None = None) -> None:
    """Write the content, part by part, with a progress bar if its length can be told.

    A file has its name only when it is whole.
    """
    if file is None:
        at_organization(start(), organization, lambda place: _write(place, content, sys.stdout.buffer, length))
        return
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as output:
        at_organization(start(), organization, lambda place: _write(place, content, output, length))
    unfinished.replace(file)


async def _write(place: Place, content: Content, output: BinaryIO, length: Length | None) -> None:
    parts = content(place)
    async for part in parts if length is None else _watched(place, parts, length):
        output.write(part)
    output.flush()


async def _watched(place: Place, parts: AsyncIterator[bytes], length: Length) -> AsyncIterator[bytes]:
    async with place.unit_of_work() as work:
        total = await length.count(work)
    with bar("Writing", length=total) as reach:
        written = -length.at_once  # the first part names the columns
        async for part in parts:
            yield part
            written += length.at_once
            reach(min(max(written, 0), total))
