"""The audit log: every change and its actor, recorded in the transaction of the change."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tessera.audit import repository
from tessera.audit.repository import MANY, AuditRepository, Entries, Entry, EntryFilter
from tessera.audit.rules import Action, Change
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.passes import execute_parts
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound

__all__ = ["Action", "Change", "Entry", "EntryFilter"]


async def record(work: UnitOfWork, change: Change, *, now: datetime) -> None:
    """Record a change made by the actor of this unit of work."""
    await record_all(work, [change], now=now)


async def record_all(work: UnitOfWork, changes: Sequence[Change], *, now: datetime) -> None:
    """Record changes with one statement."""
    await record_prepared(work, await prepare(work, changes, now=now))


async def prepare(work: UnitOfWork, changes: Sequence[Change], *, now: datetime) -> Entries:
    """The entries of changes, for `record_prepared`; this sends nothing, so it can run beside other statements."""
    repository = AuditRepository(work)
    if len(changes) < MANY:
        return repository.prepare(changes, now=now)
    # Ten thousand changes take a second to convert, during which other requests must not wait.
    return await asyncio.to_thread(repository.prepare, changes, now=now)


async def record_prepared(work: UnitOfWork, entries: Entries) -> None:
    """Record entries with one statement."""
    await AuditRepository(work).add(entries)


async def record_for_each(work: UnitOfWork, changes: Mapping[UUID, Sequence[Change]], *, now: datetime) -> None:
    """Record the changes of many organizations, each pinned to its own."""
    await execute_parts(work, [repository.addition(each, work.actor, own, now=now) for each, own in changes.items()])


async def get(work: UnitOfWork, entry_id: UUID) -> Entry:
    """The entry with this id; raises NotFound."""
    entry = await AuditRepository(work).find(entry_id)
    if entry is None:
        raise NotFound("There is no such entry.")
    return entry


async def list_by_cursor(work: UnitOfWork, *, filters: EntryFilter, after: str | None, size: int) -> CursorPage[Entry]:
    """A page of the log, newest first; raises Invalid for a cursor of another list."""
    return await AuditRepository(work).list_by_cursor(filters, after=after, size=size)
