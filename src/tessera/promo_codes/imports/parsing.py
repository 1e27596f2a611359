"""The parser of CSV files of promo codes, which accepts the dialects of common spreadsheet programs."""

import csv
import io
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tessera.kit.csv import plain
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of
from tessera.kit.wire import wire_name
from tessera.promo_codes.imports import cells
from tessera.promo_codes.rules import PromoCodeDraft

SEPARATORS = ",;\t"
MAX_LINES = 1_000_000
# Enough for 10,000 addresses, and a limit to the text after an unclosed quotation mark.
MAX_CELL = 2**20
HEADER = "header"
NOT_TEXT = "must be text in UTF-8, without NUL characters"
_BY_TITLE = {key_of(wire_name(column)): column for column in cells.COLUMNS}


@dataclass(frozen=True, slots=True)
class Line:
    """The promo code that begins at this line of the file; `parse_violations` concern the line itself.

    `fields` are the fields of the draft that the file has columns for; a line without a status keeps that of its code.
    """

    number: int
    draft: PromoCodeDraft
    fields: frozenset[str] = frozenset()
    parse_violations: tuple[Violation, ...] = ()


class Unreadable(Exception):
    """The file cannot be read from this line on."""

    def __init__(self, number: int, violation: Violation) -> None:
        super().__init__(violation.message)
        self.number = number
        self.violation = violation


def read_lines(file: BinaryIO) -> Generator[Line, None, None]:
    """The promo codes of the file, in its order; raises Unreadable.

    The text is UTF-8, or UTF-16 with a byte-order mark. The separator is the most frequent of `,`, `;` and tab in the
    first line. Exhaust or close the generator before you close the file.
    """
    text = io.TextIOWrapper(file, _encoding(file), errors="surrogateescape", newline="")
    try:
        yield from _lines(text)
    finally:
        text.detach()  # the caller closes the file


def _encoding(file: BinaryIO) -> str:
    start = file.read(2)
    file.seek(0)
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _lines(text: io.TextIOWrapper) -> Iterator[Line]:
    csv.field_size_limit(MAX_CELL)
    header = _header(text)
    columns = _columns(header)
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
            yield _line(number, columns, row)
        else:
            blank_lines += 1
            if blank_lines > MAX_LINES:
                message = f"is one too many: a file has at most {MAX_LINES:,} blank lines"
                raise Unreadable(number, Violation("TooManyLines", "name", message))
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


def _columns(line: str) -> list[str]:
    titles = next(csv.reader([line], delimiter=_separator(line)), [])
    columns = [_BY_TITLE.get(_key(title), "") for title in titles]
    unknown_titles = [title for title, column in zip(titles, columns, strict=True) if not column]
    if unknown_titles:
        known_titles = ", ".join(map(wire_name, cells.IMPORTED_COLUMNS))
        message = f"must name only known columns ({known_titles}), and '{unknown_titles[0][:60]}' is unknown"
        raise Unreadable(1, Violation("UnknownColumn", HEADER, message))
    if len(set(columns)) < len(columns):
        raise Unreadable(1, Violation("Repeated", HEADER, "must name each column once"))
    if "name" not in columns:
        raise Unreadable(1, Violation("Required", HEADER, "must contain the column 'name'"))
    return columns


def _key(title: str) -> str:
    # Titles such as `Discount percent` and `discount_percent` are common.
    return key_of(title.strip().replace(" ", "").replace("_", ""))


def _line(number: int, columns: Sequence[str], row: Sequence[str]) -> Line:
    if len(row) != len(columns):
        message = f"must have as many cells as the first line, {len(columns)}, and has {len(row)}"
        return Line(number, PromoCodeDraft(), parse_violations=(Violation("NumberOfCells", "name", message),))
    values = {
        # White space around a value is insignificant, except in notes.
        column: plain(text if column == "notes" else text.strip())
        for column, text in zip(columns, row, strict=True)
        if column in cells.IMPORTED_COLUMNS and text.strip()
    }
    unreadable = [column for column, text in values.items() if not _is_text(text)]
    if unreadable:
        not_text = tuple(Violation("NotText", column, NOT_TEXT) for column in unreadable)
        return Line(number, PromoCodeDraft(), parse_violations=not_text)
    fields = cells.parse(values)
    if "name" not in values:
        fields["parse_violations"] = (Violation("Required", "name", "is required"), *fields["parse_violations"])
    titled = (set(columns) & set(cells.IMPORTED_COLUMNS)) - {"name", "status"}
    return Line(number, PromoCodeDraft(**fields), frozenset(titled | (fields.keys() & {"is_active", "is_archived"})))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
