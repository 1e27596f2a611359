"""The metadata of records of every kind."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.kit.normalization import stored_name
from tessera.promo_codes.management import service as promo_codes
from tessera.record_metadata import rules
from tessera.record_metadata.repository import MetadataRepository
from tessera.record_metadata.rules import Kind
from tessera.redemptions import lifecycle as redemptions
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import service as purchases

__all__ = ["Kind"]

# Each raises NotFound if there is no such record.
_ENSURE: Mapping[Kind, Callable[[UnitOfWork, UUID, datetime], Awaitable[object]]] = {
    Kind.PROMO_CODE: lambda work, record_id, _: promo_codes.get(work, record_id),
    Kind.VOUCHER_PROGRAM: lambda work, record_id, _: programs.get(work, record_id),
    Kind.VOUCHER_PURCHASE: lambda work, record_id, now: purchases.get(work, record_id, now=now),
    Kind.VOUCHER: lambda work, record_id, _: vouchers.get(work, record_id),
    Kind.REDEMPTION: lambda work, record_id, now: redemptions.get(work, record_id, caller=None, now=now),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWithMetadata:
    """The metadata of one record."""

    id: UUID
    kind: Kind
    metadata: Mapping[str, str]


async def get(work: UnitOfWork, kind: Kind, record_id: UUID, *, now: datetime) -> RecordWithMetadata:
    """The metadata of a record, in the order of keys; raises NotFound."""
    await _ENSURE[kind](work, record_id, now)
    found = await MetadataRepository(work, kind).find_all([record_id])
    return RecordWithMetadata(id=record_id, kind=kind, metadata=found[record_id])


async def replace(
    work: UnitOfWork, kind: Kind, record_id: UUID, metadata: Mapping[str, str], *, now: datetime
) -> RecordWithMetadata:
    """Replace the metadata of a record; raises Invalid, NotFound.

    The audit log has the keys only, because a value may name a person, and the log cannot forget it.
    """
    if violations := list(rules.violations(metadata)):
        raise Invalid(violations)
    repository = MetadataRepository(work, kind)
    await repository.lock(record_id)
    before = await get(work, kind, record_id, now=now)
    after = RecordWithMetadata(id=record_id, kind=kind, metadata=rules.stored(metadata))
    if after != before:
        await repository.replace(record_id, after.metadata)
        change = Change(action=Action.UPDATED, kind=kind, id=record_id, before=_keys(before), after=_keys(after))
        await audit.record(work, change, now=now)
    return after


async def list_by_cursor(
    work: UnitOfWork, kind: Kind, *, key: str, value: str, after: str | None, size: int
) -> CursorPage[RecordWithMetadata]:
    """A page of the records with this value of this key, oldest first; raises Invalid for a cursor of another list."""
    repository = MetadataRepository(work, kind)
    page = await repository.list_ids(stored_name(key), stored_name(value), after=after, size=size)
    found = await repository.find_all(page.items)
    return page.map(lambda record_id: RecordWithMetadata(id=record_id, kind=kind, metadata=found[record_id]))


def _keys(record: RecordWithMetadata) -> dict[str, list[str]]:
    return {"metadata_keys": list(record.metadata)}
