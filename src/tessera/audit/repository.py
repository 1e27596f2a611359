"""Statements on the audit log of one tenant."""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Select, Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.audit.rules import (
    ACTOR_NAME,
    ERASED,
    SALT_BYTES,
    TOKEN_ISSUER,
    Change,
    SaltedValue,
    json_values,
    restore,
    salted,
    separate,
)
from tessera.audit.tables import AuditEntry, AuditSeal, AuditValue
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.arrays import Binaries, Texts, Uuids
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.pages import CursorOrder, CursorPage, fetch_cursor_page
from tessera.kit.db.passes import Part
from tessera.kit.db.records import record_of
from tessera.kit.db.selective import SEVERAL, fetch_filtered_page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork, driver_of
from tessera.kit.identifiers import new_id

# Arrays, because SQLAlchemy takes half a second to compile a statement with parameters for a thousand entries. No
# column is returned, because partners add entries that they may not read.
ADD_ALL = TextQuery("""
with entries as (
    insert into audit_entries (
        organization_id, id, at, actor_kind, actor_id, actor_name, token_id, token_issuer, action, entity_kind,
        entity_id, before, after, digests, actor_salt
    )
    select %(organization_id)s, change.id, %(at)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(token_id)s, null,
           change.action, change.kind, change.entity_id, change.before::jsonb, change.after::jsonb,
           change.digests::jsonb, change.actor_salt
    from unnest(
        %(ids)s::uuid[], %(actions)s::text[], %(kinds)s::text[], %(entity_ids)s::uuid[], %(befores)s::text[],
        %(afters)s::text[], %(digests)s::text[], %(actor_salts)s::bytea[]
    ) as change (id, action, kind, entity_id, before, after, digests, actor_salt)
    returning 1
), personal_values as (
    insert into audit_values (organization_id, entry_id, path, value, salt)
    select %(organization_id)s, value.entry_id, value.path, value.value, value.salt
    from unnest(%(value_entry_ids)s::uuid[], %(value_paths)s::text[], %(value_texts)s::text[], %(value_salts)s::bytea[])
         as value (entry_id, path, value, salt)
    returning 1
)
insert into audit_unsealed (organization_id, entry_id) select %(organization_id)s, unnest(%(ids)s::uuid[])
returning 1
""")

# A connection keeps the plans by which it checks foreign keys: one that it made for a nearly empty log reads the whole
# log for each entry, which matters from this number of entries.
MANY = 1000


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


class Entries(NamedTuple):
    """New entries as the parameters of the statement that adds them."""

    number: int
    values: Mapping[str, Any]


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
    ids = [new_id() for _ in changes]
    entries = [_separate(actor, change) for change in changes]
    stored = [
        (id_, path, value) for id_, entry in zip(ids, entries, strict=True) for path, value in entry.stored.items()
    ]
    return {
        "organization_id": organization_id,
        "at": now,
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_name": actor.name,
        "token_id": actor.token_id,
        "ids": Uuids(ids),
        "actions": Texts([str(change.action) for change in changes]),
        "kinds": Texts([change.kind for change in changes]),
        "entity_ids": Uuids([change.id for change in changes]),
        "befores": Texts([_json(entry.before) for entry in entries]),
        "afters": Texts([_json(entry.after) for entry in entries]),
        "digests": Texts([_json(entry.digests) for entry in entries]),
        "actor_salts": Binaries([entry.actor_salt for entry in entries]),
        "value_entry_ids": Uuids([id_ for id_, _, _ in stored]),
        "value_paths": Texts([path for _, path, _ in stored]),
        "value_texts": Texts([value.text for _, _, value in stored]),
        "value_salts": Binaries([value.salt for _, _, value in stored]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeparatedEntry:
    """An entry with null in place of values that name a person; `stored` are these by path, but the actor's name."""

    before: dict[str, Any] | None
    after: dict[str, Any] | None
    digests: dict[str, str]
    actor_salt: bytes | None
    stored: dict[str, SaltedValue]


def _separate(actor: Actor, change: Change) -> _SeparatedEntry:
    texts: dict[str, str] = {}
    before, after = (
        None if state is None else separate(json_values(state), path, texts)
        for path, state in (("/before", change.before), ("/after", change.after))
    )
    if actor.kind in (ActorKind.USER, ActorKind.COMMAND_LINE):
        texts[ACTOR_NAME] = actor.name
    if actor.token_issuer is not None:
        texts[TOKEN_ISSUER] = actor.token_issuer
    values = salted(texts, os.urandom(SALT_BYTES * len(texts)))
    digests = {path: value.digest() for path, value in values.items()}
    name = values.pop(ACTOR_NAME, None)
    return _SeparatedEntry(
        before=before, after=after, digests=digests, actor_salt=name.salt if name else None, stored=values
    )


class AuditRepository:
    """The log of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._actor = work.actor

    def prepare(self, changes: Sequence[Change], *, now: datetime) -> Entries:
        """An entry for each change, as `add` sends it."""
        return Entries(len(changes), _values(self._organization_id, self._actor, changes, now=now))

    async def add(self, entries: Entries) -> None:
        """Add unsealed entries."""
        if not entries.number:
            return
        driver = await driver_of(self._connection)
        if entries.number >= MANY:
            await driver.execute("discard plans")
        await ADD_ALL.send(driver, entries.values)

    async def find(self, entry_id: UUID) -> Entry | None:
        """The entry with this id."""
        rows = (await self._connection.execute(self._select().where(AuditEntry.id == entry_id))).all()
        entry = await self._entries(rows)
        return entry(rows[0]) if rows else None

    async def list_by_cursor(self, filters: EntryFilter, *, after: str | None, size: int) -> CursorPage[Entry]:
        """A page of the log, newest first."""
        columns = AuditEntry.__table__.c
        values = {name: getattr(filters, name) for name in ("actor_name", "action", "entity_kind", "entity_id")}
        equal = [columns[name] == value for name, value in values.items() if value is not None]
        period = [] if filters.since is None else [columns.at >= filters.since]
        if filters.until is not None:
            period.append(columns.at < filters.until)
        entries = self._select().where(*equal, *period)
        order = CursorOrder(columns=[columns.at, columns.id], descending=True)
        if len(equal) < SEVERAL:
            page = await fetch_cursor_page(self._connection, entries, order=order, after=after, size=size)
        else:
            own = select(*order.columns).where(columns.organization_id == self._organization_id, *period)
            by_index = [own.where(each) for each in equal]
            page = await fetch_filtered_page(
                self._connection, entries, filters=by_index, order=order, after=after, size=size
            )
        return page.map(await self._entries(page.items))

    async def _entries(self, rows: Sequence[AnyRow]) -> Callable[[AnyRow], Entry]:
        """How to read these rows as entries, with their values that name a person."""
        ids = [row.id for row in rows if row.digests]
        values: defaultdict[UUID, dict[str, str]] = defaultdict(dict)
        if ids:
            statement = select(AuditValue.entry_id, AuditValue.path, AuditValue.value).where(
                AuditValue.organization_id == self._organization_id,
                AuditValue.entry_id == any_(literal(ids, ARRAY(Uuid))),
            )
            for entry_id, path, value in await self._connection.execute(statement):
                values[entry_id][path] = value
        return lambda row: _entry(row, values[row.id])

    def _select(self) -> Select[*tuple[Any, ...]]:
        position = select(AuditSeal.position).where(
            AuditSeal.organization_id == self._organization_id, AuditSeal.entry_id == AuditEntry.id
        )
        columns = [getattr(AuditEntry, name) for name in Entry.__dataclass_fields__ if name != "position"]
        columns.append(AuditEntry.digests)
        return select(*columns, position.correlate(AuditEntry).scalar_subquery().label("position")).where(
            AuditEntry.organization_id == self._organization_id
        )


def _json(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else orjson.dumps(values).decode()


def _entry(row: AnyRow, values: Mapping[str, str]) -> Entry:
    fields = {name: getattr(row, name) for name in ("token_issuer", "before", "after")}
    for path in row.digests or ():
        if path != ACTOR_NAME:
            restore(fields, path, values.get(path, ERASED))
    return record_of(Entry, row, **fields)
