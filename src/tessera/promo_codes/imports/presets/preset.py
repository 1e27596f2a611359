"""Exports of other vendors: the meaning of their columns, and the values that promo codes cannot have."""

import re
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO

from tessera.kit.errors import Violation
from tessera.kit.imports import cells
from tessera.kit.imports.cells import InvalidCell, Parser
from tessera.kit.imports.rows import MAX_REPORTED, Columns, Row, read_rows
from tessera.kit.normalization import key_of
from tessera.promo_codes.imports.parsing import Line
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.record_metadata import cells as metadata_cells
from tessera.record_metadata.rules import COLUMN_PREFIX, key_of_column

Values = Mapping[str, Any]

# The fields of a preset from which a field of a draft is computed; the first that the preset has counts.
_SOURCES = {"discount_percent": ("value",), "flat_discount": ("cents", "value"), "max_redemptions": ("limit",)}
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)
_OFFSET = re.compile(r" ?([+-][0-9]{2}):?([0-9]{2})$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The columns of one vendor's export, by the titles in its documentation.

    `columns` has the field and the parser of each column that is read. `ignored` columns do not change the value of a
    code, and `harmless` values restrict nothing; all other values are refused. `terms` returns the fields of a draft
    from the values of a line; it raises InvalidTerms.
    """

    documentation: str
    columns: Mapping[str, tuple[str, Parser]]
    ignored: Collection[str]
    harmless: Mapping[str, Collection[str]] = field(default_factory=dict)
    terms: Callable[[Values], dict[str, Any]]

    def title(self, name: str) -> str:
        """The title of the column of a field, or of the column from which a field of a draft is computed."""
        fields = _SOURCES.get(name, (name,))
        return next((title for field in fields for title, (each, _) in self.columns.items() if each == field), name)

    @property
    def file(self) -> Columns:
        """The columns of the file, and of metadata; a file may have others, whose values are refused."""
        known = (*self.columns, *self.ignored, *self.harmless)
        return Columns(imported=known, required=self.title("name"), allows_unknown=True, prefix=COLUMN_PREFIX)


class InvalidTerms(Exception):
    """A line does not describe a promo code because of the value of `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def read_lines(file: BinaryIO, preset: Preset) -> Generator[Line, None, None]:
    """The promo codes of a vendor's export, in its order; raises Unreadable."""
    with closing(read_rows(file, preset.file)) as rows:
        for row in rows:
            yield _line(row, preset)


def _line(row: Row, preset: Preset) -> Line:
    parsers = {title: parser for title, (_, parser) in preset.columns.items()}
    values, violations = cells.parse_all({title: row.cells[title] for title in parsers if title in row.cells}, parsers)
    metadata, of_metadata = _metadata(row)
    violations = [*row.violations, *violations, *of_metadata, *_unsupported(row, preset)]
    by_field = {preset.columns[title][0]: value for title, value in values.items()}
    fields: dict[str, Any] = {}
    if not violations:
        try:
            fields = _with_uses(preset.terms(by_field), by_field) | metadata
        except InvalidTerms as error:
            violations.append(Violation("Unsupported", preset.title(error.field), str(error)))
    return Line(row.number, PromoCodeDraft(name=by_field.get("name"), **fields), parse_violations=tuple(violations))


def _unsupported(row: Row, preset: Preset) -> list[Violation]:
    unsupported = (
        Violation("Unsupported", title, f"has no counterpart here, and '{text[:60]}' would be lost")
        for title, text in row.cells.items()
        if title not in preset.columns
        and key_of_column(title) is None
        and title not in preset.ignored
        and key_of(text) not in preset.harmless.get(title, ())
    )
    return list(islice(unsupported, MAX_REPORTED))


def _metadata(row: Row) -> tuple[dict[str, Any], list[Violation]]:
    return metadata_cells.parse_all({title: row.cells[title] for title in row.cells if key_of_column(title)}, {})


def _with_uses(terms: dict[str, Any], values: Values) -> dict[str, Any]:
    """The terms with the remaining uses: 1 of a code with 99 of 100 uses. A used-up code is archived."""
    limit, uses = values.get("limit") or None, values.get("uses") or 0
    per_candidate = values.get("max_redemptions_per_candidate") or None
    notes = [values.get("notes")]
    if uses:
        notes.append(f"{uses:,} of {limit:,} uses before the import" if limit else f"{uses:,} uses before the import")
    left = limit if limit is None or uses >= limit else limit - uses
    return {
        **{name: values.get(name) for name in ("starts_at", "expires_at", "campaign")},
        "notes": "; ".join(filter(None, notes)) or None,
        "max_redemptions": left,
        "max_redemptions_per_candidate": min(filter(None, (per_candidate, left))) if per_candidate else None,
        "is_archived": limit is not None and uses >= limit,
        **terms,
    }


def discount(kinds: Mapping[str, str], kind: str | None, value: Any) -> dict[str, Any]:  # noqa: ANN401 - a number
    """The discount of a kind, `percent` or `flat`, by the vendor's words for them; raises InvalidTerms."""
    ours = kinds.get(key_of(kind or ""))
    if ours is None:
        words = " and ".join(f"'{each}'" for each in kinds)
        raise InvalidTerms("kind", f"must be one of {words}, and '{(kind or '')[:60]}' has no counterpart here")
    if value is None:
        raise InvalidTerms("value", "is required")
    if ours == "flat":
        return {"flat_discount": value}
    if value != int(value):
        raise InvalidTerms("value", f"must be a whole percentage, not {value}")
    return {"discount_percent": int(value)}


def choice(texts: Mapping[str, Any]) -> Parser:
    """The parser of a column with these values, in any case."""

    def parse(text: str) -> Any:  # noqa: ANN401 - a value of the mapping
        if key_of(text) not in texts:
            words = f"must be one of {', '.join(texts)}, and '{text[:60]}' has no counterpart here"
            raise InvalidCell("Unsupported", words)
        return texts[key_of(text)]

    return parse


def instant(text: str) -> datetime:
    """A time in ISO 8601, also as `2025-12-02 03:01:03 -0500`, or in seconds since 1970; raises InvalidCell."""
    if _SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    has_time = ":" in text
    return cells.instant(_OFFSET.sub(r"\1:\2", text.replace(" UTC", "Z")) if has_time else text)


def addresses(text: str) -> tuple[str, ...]:
    """Email addresses with commas between them, or as a JSON array; raises InvalidCell for a pattern of addresses."""
    if "*" in text:
        raise InvalidCell("Unsupported", f"must be whole addresses, and '{text[:60]}' has no counterpart here")
    is_array = text.startswith("[") and text.endswith("]")
    return tuple(each.strip('"') for each in titles(text[1:-1] if is_array else text))


def titles(text: str) -> tuple[str, ...]:
    """The values of a text with commas between them."""
    return tuple(stripped for part in text.split(",") if (stripped := part.strip()))
