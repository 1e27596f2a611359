"""The promo codes that the lines of a CSV file describe."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from tessera.kit.errors import Violation
from tessera.kit.imports.rows import Row, read_rows
from tessera.promo_codes.imports import cells
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.record_metadata.rules import key_of_column


@dataclass(frozen=True, slots=True)
class Line:
    """The promo code that begins at this line of the file; `parse_violations` concern the line itself.

    `fields` are the fields of the draft that the file has columns for; a line without a status keeps that of its code.
    Of metadata, a file with columns for some `keys` has only those.
    """

    number: int
    draft: PromoCodeDraft
    fields: frozenset[str] = frozenset()
    parse_violations: tuple[Violation, ...] = ()
    keys: frozenset[str] = frozenset()


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
    titled |= fields.keys() & {"is_active", "is_archived"}
    keys = frozenset(filter(None, map(key_of_column, row.columns))) if "metadata" not in titled else frozenset[str]()
    titled |= {"metadata"} if keys else set()
    return Line(row.number, PromoCodeDraft(**fields), frozenset(titled), keys=keys)
