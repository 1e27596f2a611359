"""Statements on the audit log of one tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, select

from tessera.audit import rules
from tessera.audit.rules import Change
from tessera.audit.tables import AuditEntry, AuditSeal
from tessera.kit.actors import Actor
from tessera.kit.db.arrays import Texts, Uuids
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.passes import Part
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork, driver_of
from tessera.kit.identifiers import new_id

# Arrays, because SQLAlchemy takes half a second to compile a statement with parameters for a thousand entries. No
# column is returned, because partners add entries that they may not read.
ADD_ALL = TextQuery("""
with entries as (
    insert into audit_entries (
        organization_id, id, at, actor_kind, actor_id, actor_name, token_id, token_issuer, action, entity_kind,
        entity_id, before, after
    )
    select %(organization_id)s, change.id, %(at)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(token_id)s,
           %(token_issuer)s, change.action, change.kind, change.entity_id, change.before::jsonb, change.after::jsonb
    from unnest(
        %(ids)s::uuid[], %(actions)s::text[], %(kinds)s::text[], %(entity_ids)s::uuid[], %(befores)s::text[],
        %(afters)s::text[]
    ) as change (id, action, kind, entity_id, before, after)
    returning 1
)
insert into audit_unsealed (organization_id, entry_id) select %(organization_id)s, unnest(%(ids)s::uuid[])
returning 1
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the log; `position` is that of its seal in the chain, or None while the entry is unsealed."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    token_id: UUID | None
    token_issuer: str | None
    action: str
    entity_kind: str
    entity_id: UUID
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Filters of entries; None matches every entry. The period includes `since` and excludes `until`."""

    since: datetime | None = None
    until: datetime | None = None
    actor_name: str | None = None
    action: str | None = None
    entity_kind: str | None = None
    entity_id: UUID | None = None


def addition(organization_id: UUID, actor: Actor, changes: Sequence[Change], *, now: datetime) -> Part:
    """The statement that adds an unsealed entry for each change to the log of an organization."""
    return Part(organization_id, ADD_ALL, _values(organization_id, actor, changes, now=now))


def _values(organization_id: UUID, actor: Actor, changes: Sequence[Change], *, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "at": now,
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_name": actor.name,
        "token_id": actor.token_id,
        "token_issuer": actor.token_issuer,
        "ids": Uuids([new_id() for _ in changes]),
        "actions": Texts([str(change.action) for change in changes]),
        "kinds": Texts([change.kind for change in changes]),
        "entity_ids": Uuids([change.id for change in changes]),
        "befores": Texts([_json(change.before) for change in changes]),
        "afters": Texts([_json(change.after) for change in changes]),
    }


class AuditRepository:
    """The log of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._actor = work.actor

    async def add(self, changes: Sequence[Change], *, now: datetime) -> None:
        """Add an unsealed entry for each change."""
        if not changes:
            return
        driver = await driver_of(self._connection)
        await ADD_ALL.send(driver, _values(self._organization_id, self._actor, changes, now=now))

    async def find(self, entry_id: UUID) -> Entry | None:
        """The entry with this id."""
        row = (await self._connection.execute(self._select().where(AuditEntry.id == entry_id))).first()
        return _entry(row) if row else None

    async def list_by_cursor(self, filters: EntryFilter, *, after: str | None, size: int) -> CursorPage[Entry]:
        """A page of the log, newest first."""
        statement = self._select()
        for field in ("actor_name", "action", "entity_kind", "entity_id"):
            value = getattr(filters, field)
            if value is not None:
                statement = statement.where(getattr(AuditEntry, field) == value)
        if filters.since is not None:
            statement = statement.where(AuditEntry.at >= filters.since)
        if filters.until is not None:
            statement = statement.where(AuditEntry.at < filters.until)
        columns = AuditEntry.__table__.c
        page = await fetch_cursor_page(
            self._connection, statement, order=[columns.at, columns.id], after=after, size=size, descending=True
        )
        return page.map(_entry)

    def _select(self) -> Select[*tuple[Any, ...]]:
        position = select(AuditSeal.position).where(
            AuditSeal.organization_id == self._organization_id, AuditSeal.entry_id == AuditEntry.id
        )
        columns = [getattr(AuditEntry, name) for name in Entry.__dataclass_fields__ if name != "position"]
        return select(*columns, position.correlate(AuditEntry).scalar_subquery().label("position")).where(
            AuditEntry.organization_id == self._organization_id
        )


def _json(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else orjson.dumps(rules.json_values(values)).decode()


def _entry(row: AnyRow) -> Entry:
    return record_of(Entry, row)
