"""The columns of a CSV file of promo codes: their order, and the parsers of their cells."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tessera.kit.csv import SEPARATOR, split
from tessera.kit.imports import cells
from tessera.kit.imports.cells import Parser
from tessera.kit.imports.rows import Columns
from tessera.kit.normalization import key_of
from tessera.promo_codes.rules import Status
from tessera.record_metadata import cells as metadata_cells
from tessera.record_metadata.rules import COLUMN_PREFIX

_STATUSES = {key_of(status): status for status in Status}


def _status(text: str) -> Status:
    if key_of(text) not in _STATUSES:
        raise cells.InvalidCell("NotAmongValues", "must be Inactive, Active or Archived")
    return _STATUSES[key_of(text)]


def _texts(text: str) -> tuple[str, ...]:
    return tuple(split(text))


def _uuids(text: str) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(part) for part in _texts(text))
    except ValueError as error:
        raise cells.InvalidCell("NotUuid", f"must be UUIDs, with {SEPARATOR} between them") from error


# The parser of each column, in the order of an exported file.
_PARSERS: Mapping[str, Parser] = {
    "name": str,
    "status": _status,
    "discount_percent": cells.whole_number,
    "flat_discount": cells.money,
    "store_exam_codes": _texts,
    "product_bundle_ids": _uuids,
    "restrict_to_email_addresses": cells.flag,
    "email_addresses": _texts,
    "starts_at": cells.instant,
    "expires_at": cells.instant,
    "max_redemptions": cells.whole_number,
    "max_redemptions_per_candidate": cells.whole_number,
    "max_redemptions_per_organization": cells.whole_number,
    "is_combinable": cells.flag,
    "campaign": str,
    "notes": str,
}
IMPORTED_COLUMNS = (*_PARSERS, "metadata")
# An import ignores the columns that only an export has.
_EXPORTED_COLUMNS = ("redemption_count", "batch_id", "created_at", "id")
COLUMNS = (*IMPORTED_COLUMNS, *_EXPORTED_COLUMNS)
FILE = Columns(
    imported=IMPORTED_COLUMNS,
    exported=_EXPORTED_COLUMNS,
    required="name",
    verbatim=frozenset({"notes"}),
    prefix=COLUMN_PREFIX,
)


def parse(texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a draft, from the text of its cells by column.

    A field that cannot be parsed is None and is listed in `parse_violations`.
    """
    fields, violations = metadata_cells.parse_all(texts, _PARSERS)
    if "status" in fields:
        status = fields.pop("status")
        fields |= {"is_active": status and status is Status.ACTIVE, "is_archived": status is Status.ARCHIVED}
    return {**fields, "parse_violations": tuple(violations)}
