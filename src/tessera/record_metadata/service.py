"""The metadata of records of every kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.normalization import stored_name
from tessera.record_metadata import rules
from tessera.record_metadata.repository import MetadataRepository
from tessera.record_metadata.rules import KeyAndText, Kind

__all__ = ["Kind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWithMetadata:
    """The metadata of one record."""

    id: UUID
    kind: Kind
    metadata: Mapping[str, str]


async def get(work: UnitOfWork, kind: Kind, record_id: UUID) -> RecordWithMetadata:
    """The metadata of a record; raises NotFound."""
    return _record(kind, record_id, await MetadataRepository(work, kind).find(record_id))


async def replace(
    work: UnitOfWork, kind: Kind, record_id: UUID, metadata: Mapping[str, str], *, now: datetime
) -> RecordWithMetadata:
    """Replace the metadata of a record, in their stored form, as a new version of it; raises Invalid, NotFound."""
    if violations := list(rules.violations(metadata)):
        raise Invalid(violations)
    repository = MetadataRepository(work, kind)
    before = _record(kind, record_id, await repository.find(record_id, lock=True))
    after = RecordWithMetadata(id=record_id, kind=kind, metadata=metadata)
    if after != before:
        await repository.replace(record_id, metadata)
        values = [{"metadata": each.metadata} for each in (before, after)]
        change = Change(action=Action.UPDATED, kind=kind, id=record_id, before=values[0], after=values[1])
        await audit.record(work, change, now=now)
    return after


async def list_keys(work: UnitOfWork, kind: Kind, *, limit: int) -> list[str]:
    """The first keys that records of this kind have, in their order."""
    return await MetadataRepository(work, kind).list_keys(limit=limit)


async def list_by_cursor(
    work: UnitOfWork, kind: Kind, *, key: str, value: str, after: str | None, size: int
) -> CursorPage[RecordWithMetadata]:
    """A page of the records with this value of this key, oldest first; raises Invalid for a cursor of another list."""
    pair = KeyAndText(stored_name(key), stored_name(value))
    page = await MetadataRepository(work, kind).list_by_cursor(pair, after=after, size=size)
    return page.map(lambda found: RecordWithMetadata(id=found[0], kind=kind, metadata=found[1]))


def _record(kind: Kind, record_id: UUID, metadata: Mapping[str, str] | None) -> RecordWithMetadata:
    if metadata is None:
        raise NotFound(f"There is no such {kind.noun}.")
    return RecordWithMetadata(id=record_id, kind=kind, metadata=metadata)
