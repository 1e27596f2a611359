"""Output of any length to a file or to standard output."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tessera.cli.database_sessions import OrganizationDatabase, with_organization
from tessera.cli.progress import bar
from tessera.cli.startup import start
from tessera.kit.db.unit_of_work import UnitOfWork

Content = Callable[[OrganizationDatabase], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Length:
    """The number of records of a file, and the number of records in each chunk."""

    count: Callable[[UnitOfWork], Awaitable[int]]
    chunk_size: int


def save(organization: str, file: Path | None, content: Content, length: Length | None = None) -> None:
    """Write the content in chunks, with a progress bar if its length is known.

    A file appears under its name only after it is complete.
    """
    if file is None:
        with_organization(start(), organization, lambda session: _write(session, content, sys.stdout.buffer, length))
        return
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as output:
        with_organization(start(), organization, lambda session: _write(session, content, output, length))
    unfinished.replace(file)


async def _write(session: OrganizationDatabase, content: Content, output: BinaryIO, length: Length | None) -> None:
    chunks = content(session)
    async for chunk in chunks if length is None else _with_progress(session, chunks, length):
        output.write(chunk)
    output.flush()


async def _with_progress(
    session: OrganizationDatabase, chunks: AsyncIterator[bytes], length: Length
) -> AsyncIterator[bytes]:
    async with session.unit_of_work() as work:
        total = await length.count(work)
    with bar("Writing", length=total) as set_position:
        position = -length.chunk_size  # the first chunk is the header line
        async for chunk in chunks:
            yield chunk
            position += length.chunk_size
            set_position(min(max(position, 0), total))
