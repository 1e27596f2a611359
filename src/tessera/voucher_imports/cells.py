"""The columns of a CSV file of vouchers from elsewhere; an export of vouchers has the same ones."""

from collections.abc import Mapping
from typing import Any

from tessera.kit.imports import cells
from tessera.kit.imports.cells import Parser
from tessera.kit.imports.rows import Columns
from tessera.kit.normalization import key_of, trimmed
from tessera.record_metadata import cells as metadata_cells
from tessera.record_metadata.rules import COLUMN_PREFIX
from tessera.vouchers.rules import ReservationStatus

_STATUSES = {key_of(status): status for status in ReservationStatus}


def _status(text: str) -> ReservationStatus:
    if key_of(text) not in _STATUSES:
        raise cells.InvalidCell("NotAmongValues", f"must be one of {', '.join(ReservationStatus)}")
    return _STATUSES[key_of(text)]


PARSERS: Mapping[str, Parser] = {
    "code": trimmed,
    "is_active": cells.flag,
    "is_used": cells.flag,
    "expires_at": cells.instant,
    "recipient_email": str,
    "assigned_at": cells.instant,
    "reservation_code": str,
    "reservation_status": _status,
    "store_exam_code": str,
    "used_at": cells.instant,
    "used_by_person_id": str,
    "used_by_client_candidate_id": str,
    "used_by_first_name": str,
    "used_by_last_name": str,
}
FILE = Columns(
    imported=(*PARSERS, "metadata"),
    exported=("purchase_code", "partner_name", "id"),
    required="code",
    prefix=COLUMN_PREFIX,
)


def parse(texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a draft, from the text of its cells by column."""
    fields, violations = metadata_cells.parse_all(texts, PARSERS)
    return {**fields, "parse_violations": tuple(violations)}
