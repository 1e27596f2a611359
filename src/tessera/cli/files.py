"""Files of any length that commands read and write; `-` is standard input or standard output."""

import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom, BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

import typer

from tessera.cli.database_sessions import OrganizationDatabase, with_organization
from tessera.cli.progress import bar
from tessera.cli.startup import CannotStart, start
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.imports.steps import Source

STANDARD_STREAM = Path("-")
ImportedFile = Annotated[
    Path,
    typer.Argument(
        help="A CSV file whose first line names the columns; - is standard input.",
        exists=True,
        dir_okay=False,
        readable=True,
        allow_dash=True,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check every line and import nothing.")]
Content = Callable[[OrganizationDatabase], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Length:
    """The number of records of a file, and the number of records in each chunk."""

    count: Callable[[UnitOfWork], Awaitable[int]]
    chunk_size: int


def save(organization: str | None, file: Path | None, content: Content, length: Length | None = None) -> None:
    """Write the content in chunks, with a progress bar if its length is known; raises CannotStart.

    A file appears under its name only after it is complete, and only its owner can read it.
    """
    if file is None or file == STANDARD_STREAM:
        with_organization(start(), organization, lambda session: _write(session, content, sys.stdout.buffer, length))
        return
    with new_file(file) as output:
        with_organization(start(), organization, lambda session: _write(session, content, output, length))


@contextmanager
def new_file(file: Path, *, replaces: bool = True) -> Iterator[BinaryIO]:
    """A file that appears under its name at the end of the block, unless it fails, and that only its owner can read.

    Raises CannotStart, also if there is a file of this name and `replaces` is false.
    """
    if not replaces and file.exists():
        raise CannotStart(f"{file} exists, and is not replaced")
    # A link, or a device such as /dev/null, would be replaced by the complete file.
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise CannotStart(f"cannot write {file}: it is not a regular file; use - for standard output")
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.unfinished")
    try:
        number = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CannotStart(f"cannot write {file}: {error.strerror}") from error
    try:
        with os.fdopen(number, "w+b") as output:
            yield output
        if replaces:
            unfinished.replace(file)
        else:
            _name(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _name(unfinished: Path, file: Path) -> None:
    """Give a file its name; raises CannotStart if there is a file of this name."""
    try:
        file.hardlink_to(unfinished)
    except FileExistsError as error:
        raise CannotStart(f"{file} exists, and is not replaced") from error
    except OSError:  # a file system without hard links
        unfinished.replace(file)


@contextmanager
def rewindable(file: Path) -> Iterator[BufferedReader | BufferedRandom]:
    """The file, or standard input for `-`, whose position can be set: a pipe is copied to a temporary file."""
    with file.open("rb") if file != STANDARD_STREAM else os.fdopen(0, "rb", closefd=False) as content:
        if content.seekable():
            yield content
            return
        with TemporaryFile() as copy:
            shutil.copyfileobj(content, copy)
            copy.seek(0)
            yield copy


@contextmanager
def imported(file: Path) -> Iterator[Source]:
    """The file to import, with a progress bar."""
    with rewindable(file) as content, bar("Reading", length=content.seek(0, os.SEEK_END)) as set_position:
        content.seek(0)
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        content.seek(0)
        yield Source(content, digest, set_position)


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
