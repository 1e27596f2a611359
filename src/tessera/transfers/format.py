"""The file of an organization: lines of JSON, compressed by gzip, with counts and digests.

The first line is the header. For each table follow a line with its name, its rows as objects in the order of the
primary key, and a line with their number and their digest (SHA-256). The last line has the number of all rows and the
digest of all lines before it. Lines that are no rows are arrays, so that a row is recognized by its first character.

The same rows lead to the same bytes: the file names no time, and the compression has neither a time nor a name.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, Any, Protocol
from uuid import UUID

from tessera.kit.errors import DomainError

FORMAT = 1
KIND = "tessera organization"
TABLE, END, COMPLETE = "table", "end", "complete"
# Higher levels take several times as long, and save little.
COMPRESSION = 3
# The response to the largest request that may be stored is smaller.
MAX_LINE_BYTES = 64 * 1024 * 1024
# Rows are inserted as one parameter, which Postgres limits to 1 GB. Most chunks are much smaller.
MAX_CHUNK_LENGTH = 8 * 1024 * 1024


class CannotRead(DomainError):
    """The file is not a complete and unchanged file of an organization; the message is one line for operators."""


class Writable(Protocol):
    """A file or a digest."""

    def write(self, content: bytes, /) -> object:
        """Write the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file has: the organization, whether its credentials are included, and the schema of the rows."""

    version: str
    revision: str
    organization_id: UUID
    name: str
    has_credentials: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The number of rows of each table, and the digest of the file, which stands for its content."""

    rows: Mapping[str, int]
    digest: str

    @property
    def count(self) -> int:
        """The number of all rows."""
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of one table, each a JSON object."""

    table: str
    rows: Sequence[str]


class Writer:
    """Writes the file of an organization: the header, then each table, then the end."""

    def __init__(self, output: IO[bytes]) -> None:
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=output, mtime=0)
        self._digest = hashlib.sha256()
        self._of_table = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._table = ""

    def write_header(self, header: Header) -> None:
        """Write the header."""
        self._write_line([KIND, {"format": FORMAT, **asdict(header), "organization_id": str(header.organization_id)}])

    def begin_table(self, name: str) -> None:
        """Begin a table."""
        self._table, self._of_table, self._rows[name] = name, hashlib.sha256(), 0
        self._write_line([TABLE, name])

    def add(self, rows: Sequence[str]) -> None:
        """Add rows to the table."""
        content = "".join(f"{row}\n" for row in rows).encode()
        self._of_table.update(content)
        self._rows[self._table] += len(rows)
        self._write(content)

    def end_table(self) -> None:
        """Write the number of the rows of the table, and their digest."""
        self._write_line([END, self._table, self._rows[self._table], self._of_table.hexdigest()])

    def end(self) -> Summary:
        """Write the last line, and end the file."""
        summary = Summary(self._rows, self._digest.hexdigest())
        self._write_line([COMPLETE, summary.count, summary.digest])
        self._file.close()
        return summary

    def _write_line(self, values: Sequence[object]) -> None:
        self._write(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _write(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)


class Reader:
    """Reads the file of an organization from its beginning; raises CannotRead where it is damaged or was changed."""

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0)
        self._digest = hashlib.sha256()
        self._before_last = ""
        self._rows: dict[str, int] = {}
        self._lines = self._read_lines(gzip.GzipFile(fileobj=file))
        self.header = self._read_header()
        self.summary: Summary | None = None

    def tables(self) -> Iterator[tuple[str, Iterator[str]]]:
        """Each table with its rows, which must be read before the next table; at the end, `summary` is known."""
        while (line := self._next())[0] == TABLE:
            name = str(line[1])
            if name in self._rows:
                raise CannotRead(f"the file has the table {name} twice")
            yield name, self._read_rows(name)
        summary = Summary(self._rows, self._before_last)
        if line[0] != COMPLETE or line[1:] != [summary.count, summary.digest]:
            raise CannotRead("the file was changed: its lines do not have the digest of its last line")
        if next(self._lines, None) is not None:
            raise CannotRead("the file was changed: it has lines after its last one")
        self.summary = summary

    def chunks(self, size: int) -> Iterator[Chunk]:
        """All rows, in chunks of up to `size` rows, and of one row more than MAX_CHUNK_LENGTH characters at most."""
        for table, rows in self.tables():
            while chunk := list(_first(rows, size)):
                yield Chunk(table, chunk)

    def _read_header(self) -> Header:
        try:
            kind, values = self._next()
            if kind != KIND:
                raise ValueError
            format_ = values.pop("format")
            if format_ != FORMAT:
                raise CannotRead(
                    f"the file has the format {format_}, of version {values.get('version')} of Tessera;"
                    f" this version reads the format {FORMAT}"
                )
            header = Header(**values | {"organization_id": UUID(values["organization_id"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CannotRead("the file is not the file of an organization") from error
        return header

    def _read_rows(self, table: str) -> Iterator[str]:
        digest, count = hashlib.sha256(), 0
        for line in self._lines:
            if not line.startswith(b"{"):
                break
            digest.update(line)
            count += 1
            yield _text(line)
        else:
            raise CannotRead(f"the file is truncated: the table {table} has no end")
        if _parse(line) != [END, table, count, digest.hexdigest()]:
            raise CannotRead(f"the file was changed: the rows of the table {table} do not have its digest")
        self._rows[table] = count

    def _next(self) -> list[Any]:
        line = next(self._lines, None)
        if line is None:
            raise CannotRead("the file is truncated: it has no last line")
        return _parse(line)

    def _read_lines(self, file: gzip.GzipFile) -> Iterator[bytes]:
        try:
            while line := file.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise CannotRead("the file is damaged: it has a line without an end")
                self._before_last = self._digest.hexdigest() if line.startswith(b'["' + COMPLETE.encode()) else ""
                self._digest.update(line)
                yield line
        except EOFError as error:
            raise CannotRead("the file is truncated: its end is missing") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CannotRead(f"the file is damaged, or is not the file of an organization: {error}") from error


def _first(rows: Iterator[str], size: int) -> Iterator[str]:
    length = 0
    for row in islice(rows, size):
        yield row
        length += len(row)
        if length > MAX_CHUNK_LENGTH:
            return


def _text(line: bytes) -> str:
    try:
        return line.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise CannotRead("the file was changed: it has a row that is not UTF-8") from error


def _parse(line: bytes) -> list[Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CannotRead("the file was changed: it has a line that is not JSON") from error
    if not isinstance(values, list) or not values:
        raise CannotRead("the file was changed: it has a row outside of a table")
    return values
