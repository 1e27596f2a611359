"""Audit entries of callers who read whole voucher codes."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id

KIND = "VoucherCodes"
ACTION = "Revealed"


async def record(
    work: UnitOfWork, source: str, filters: Mapping[str, Any], number: int | None, *, now: datetime
) -> None:
    """Record that the actor gets whole codes: from which list or file, by which filters, and how many.

    The number is None if it is not known before the file is read.
    """
    query = {name: _value(value) for name, value in filters.items() if value is not None}
    after = {"source": source, "filters": query, "number": number}
    await audit.record(work, Change(action=ACTION, kind=KIND, id=new_id(), after=after), now=now)


def _value(value: Any) -> Any:  # noqa: ANN401 - the value of a filter
    match value:
        case bool() | int() | UUID() | datetime() | Enum():
            return value
        case date():
            return str(value)
        case list() | tuple():
            return [_value(each) for each in value]
        case _:  # a text may be a code or an address, which the log must not hold
            return "..."
