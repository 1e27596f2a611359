"""Where commands write what may be of any length: a file, or standard output."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from tessera.cli.starting import start
from tessera.cli.units import Place, at_organization

Output = Annotated[
    Path | None, typer.Option("--output", help="Where to put it; standard output unless given.", dir_okay=False)
]


def save(organization: str, file: Path | None, content: Callable[[Place], AsyncIterator[bytes]]) -> None:
    """Write the content, part by part; a file has its name only when it is whole."""
    if file is None:
        at_organization(start(), organization, lambda place: _write(content(place), sys.stdout.buffer))
        return
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as output:
        at_organization(start(), organization, lambda place: _write(content(place), output))
    unfinished.replace(file)


async def _write(content: AsyncIterator[bytes], output: BinaryIO) -> None:
    async for part in content:
        output.write(part)
    output.flush()
