"""The parser of imported CSV files, which accepts the dialects of common spreadsheet programs."""

import csv
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from tessera.kit.csv import plain
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of, stored_name
from tessera.kit.wire import wire_name

SEPARATORS = ",;\t"
MAX_LINES = 1_000_000
MAX_PREFIXED = 100
# Each of up to 10,000 bad lines may repeat the title of an unlisted column.
MAX_TITLE = 200
# A line may have as many cells as its length allows, and a report has up to 10,000 lines.
MAX_REPORTED = 20
# Enough for 10,000 addresses, and a limit to the text after an unclosed quotation mark.
MAX_CELL = 2**20
HEADER = "header"
NOT_TEXT = "must be text in UTF-8, without NUL characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a kind of file.

    The cells of `exported` columns are ignored. A file must have the `required` column. White space around a value is
    removed, except in the `verbatim` columns. With `allows_unknown`, a file may have other columns, which keep their
    titles as names. With a `prefix`, it may have up to 100 columns whose titles begin with it, and then are
    case-sensitive.
    """

    imported: Sequence[str]
    exported: Sequence[str] = ()
    required: str
    verbatim: frozenset[str] = frozenset()
    allows_unknown: bool = False
    prefix: str | None = None

    def find_all(self, titles: Sequence[str]) -> list[str]:
        """The column with each of these titles; an empty text for an unknown title."""
        by_title = {title_key(wire_name(column)): column for column in (*self.imported, *self.exported)}
        return [by_title.get(title_key(title)) or self._find_unlisted(title.strip()) for title in titles]

    def _find_unlisted(self, title: str) -> str:
        length = len(self.prefix or "")
        if len(title) > MAX_TITLE:
            return ""
        if self.prefix is not None and key_of(title[:length]) == self.prefix and title[length:].strip():
            return self.prefix + stored_name(plain(title[length:]))
        return title if self.allows_unknown else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file: its cells that are not empty, by column, all columns of the file, and its own violations."""

    number: int
    columns: Sequence[str]
    cells: Mapping[str, str]
    violations: tuple[Violation, ...] = ()


class Unreadable(Exception):
    """The file cannot be read from this line on."""

    def __init__(self, number: int, violation: Violation) -> None:
        super().__init__(violation.message)
        self.number = number
        self.violation = violation


def read_rows(file: BinaryIO, columns: Columns) -> Generator[Row, None, None]:
    """The lines of the file after the first, which names the columns; raises Unreadable.

    The text is UTF-8, or UTF-16 with a byte-order mark. The separator is the most frequent of `,`, `;` and tab in the
    first line. Exhaust or close the generator before you close the file.
    """
    text = io.TextIOWrapper(file, _encoding(file), errors="surrogateescape", newline="")
    try:
        yield from _rows(text, columns)
    finally:
        text.detach()  # the caller closes the file


def _encoding(file: BinaryIO) -> str:
    start = file.read(2)
    file.seek(0)
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _rows(text: io.TextIOWrapper, columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)
    header = _header(text)
    names = _columns_of(header, columns)
    rows = csv.reader(text, delimiter=_separator(header), strict=True)
    number, blank_lines = 2, 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(number, Violation("NotCsv", HEADER, f"cannot be read as CSV: {error}")) from error
        except UnicodeError as error:
            raise Unreadable(number, Violation("NotText", HEADER, "is not UTF-16 text")) from error
        if any(row):
            yield _row(number, names, row, columns)
        else:
            blank_lines += 1
            if blank_lines > MAX_LINES:
                message = f"is one too many: a file has at most {MAX_LINES:,} blank lines"
                raise Unreadable(number, Violation("TooManyLines", columns.required, message))
        number = rows.line_num + 2


def _header(text: io.TextIOWrapper) -> str:
    try:
        line = text.readline(MAX_CELL)
    except UnicodeError as error:
        raise Unreadable(1, Violation("NotText", HEADER, "is not UTF-16 text")) from error
    # Messages quote the line, so it must be text.
    if not _is_text(line):
        raise Unreadable(1, Violation("NotText", HEADER, NOT_TEXT))
    return line


def _separator(line: str) -> str:
    return max(SEPARATORS, key=line.count)


def _columns_of(line: str, columns: Columns) -> list[str]:
    titles = next(csv.reader([line], delimiter=_separator(line)), [])
    names = columns.find_all(titles)
    unknown_titles = [title for title, name in zip(titles, names, strict=True) if not name]
    if unknown_titles:
        known_titles = ", ".join(map(wire_name, columns.imported))
        message = f"must name only known columns ({known_titles}), and '{unknown_titles[0][:60]}' is unknown"
        raise Unreadable(1, Violation("UnknownColumn", HEADER, message))
    if columns.prefix is not None and sum(name.startswith(columns.prefix) for name in names) > MAX_PREFIXED:
        message = f"must have at most {MAX_PREFIXED} columns that begin with '{columns.prefix}'"
        raise Unreadable(1, Violation("TooManyColumns", HEADER, message))
    if len(set(names)) < len(names):
        raise Unreadable(1, Violation("Repeated", HEADER, "must name each column once"))
    if columns.required not in names:
        raise Unreadable(1, Violation("Required", HEADER, f"must contain the column '{wire_name(columns.required)}'"))
    return names


def title_key(title: str) -> str:
    """The key by which titles are compared: `Discount percent` and `discount_percent` are `discountPercent`."""
    return key_of(title.strip().replace(" ", "").replace("_", ""))


def _row(number: int, names: Sequence[str], row: Sequence[str], columns: Columns) -> Row:
    if len(row) != len(names):
        message = f"must have as many cells as the first line, {len(names)}, and has {len(row)}"
        return Row(number, names, {}, (Violation("NumberOfCells", columns.required, message),))
    cells = {
        column: plain(text if column in columns.verbatim else text.strip())
        for column, text in zip(names, row, strict=True)
        if column not in columns.exported and text.strip()
    }
    not_text = (Violation("NotText", column, NOT_TEXT) for column, text in cells.items() if not _is_text(text))
    if violations := tuple(islice(not_text, MAX_REPORTED)):
        return Row(number, names, {}, violations)
    if columns.required in cells:
        return Row(number, names, cells)
    return Row(number, names, cells, (Violation("Required", columns.required, "is required"),))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
