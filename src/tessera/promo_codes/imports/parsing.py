"""The promo codes that the lines of a CSV file describe."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from tessera.kit.errors import Violation
from tessera.kit.imports.rows import Row, read_rows
from tessera.promo_codes.imports import cells
from tessera.promo_codes.rules import PromoCodeDraft


@dataclass(frozen=True, slots=True)
class Line:
    """The promo code that begins at this line of the file; `parse_violations` concern the line itself.

    `fields` are the fields of the draft that the file has columns for; a line without a status keeps that of its code.
    """

    number: int
    draft: PromoCodeDraft
    fields: frozenset[str] = frozenset()
    parse_violations: tuple[Violation, ...] = ()


def read_lines(file: BinaryIO) -> Generator[Line, None, None]:
    """The promo codes of the file, in its order; raises Unreadable.

    Exhaust or close the generator before you close the file.
    """
    with closing(read_rows(file, cells.FILE)) as rows:
        yield from map(_line, rows)


def _line(row: Row) -> Line:
    if not row.cells:
        return Line(row.number, PromoCodeDraft(), parse_violations=row.violations)
    fields = cells.parse(row.cells)
    fields["parse_violations"] = (*row.violations, *fields["parse_violations"])
    titled = (set(row.columns) & set(cells.IMPORTED_COLUMNS)) - {"name", "status"}
    return Line(
        row.number, PromoCodeDraft(**fields), frozenset(titled | (fields.keys() & {"is_active", "is_archived"}))
    )
