"""Statements that erase a person from the entries of the audit log whose values stand beside them."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from tessera.audit.rules import ERASED
from tessera.kit.db.arrays import Texts, Uuids
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.kit.normalization import key_of
from tessera.persons.erasures import rules
from tessera.persons.erasures.rules import Eraser

# All values of each entry that may name the person, because those beside an address or an id are theirs, too.
_VALUES = """
select v.entry_id, v.path, v.value, e.entity_id = any (%(user_ids)s) as is_of_user
from audit_values v join audit_entries e on e.organization_id = v.organization_id and e.id = v.entry_id
where v.organization_id = %(organization_id)s and v.entry_id = any (array(
    select named.entry_id from audit_values named where named.organization_id = %(organization_id)s
    and (lower(named.value collate "C") like any (%(patterns)s::text[]) or named.value = any (%(ids)s::text[]))
    union
    select changed.id from audit_entries changed
    where changed.organization_id = %(organization_id)s and changed.entity_id = any (%(user_ids)s)
))
"""
_DELETE = """
delete from audit_values v using unnest(%(entry_ids)s::uuid[], %(paths)s::text[]) as erased (entry_id, path)
where v.organization_id = %(organization_id)s and v.entry_id = erased.entry_id and v.path = erased.path
returning v.entry_id
"""
_LOCK_ACTORS = """
select id from audit_entries
where organization_id = %(organization_id)s and actor_salt is not null
  and (actor_id = any (%(user_ids)s) or lower(actor_name collate "C") = any (%(emails)s::text[]))
order by id for update
"""
_ERASE_ACTORS = """
update audit_entries set actor_name = %(erased)s, actor_salt = null
where organization_id = %(organization_id)s and id = any (%(entry_ids)s)
returning id
"""


class AuditLogRepository:
    """The audit log of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def erase(self, eraser: Eraser, user_ids: Sequence[UUID]) -> set[UUID]:
        """Delete the values that name a person, and those of the entries about their users; returns these entries."""
        values = eraser.values
        own = {"organization_id": self._organization_id, "user_ids": Uuids(user_ids)}
        rows = await self._fetch(
            _VALUES, own | {"patterns": Texts(rules.patterns(values)), "ids": Texts(sorted(values.ids))}
        )
        erased = await asyncio.to_thread(lambda: list(_erased(eraser, rows)))
        keys = {"entry_ids": Uuids([entry_id for entry_id, _ in erased]), "paths": Texts([path for _, path in erased])}
        await self._fetch(_DELETE, own | keys)
        emails = Texts(sorted({key_of(email) for email in values.emails}))
        actors = [entry_id for (entry_id,) in await self._fetch(_LOCK_ACTORS, own | {"emails": emails})]
        await self._fetch(_ERASE_ACTORS, own | {"entry_ids": Uuids(actors), "erased": ERASED})
        return {entry_id for entry_id, _ in erased}.union(actors)

    async def _fetch(self, text: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        return await (await execute_text(self._connection, text, values)).fetchall()


def _erased(eraser: Eraser, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[UUID, str]]:
    """The entries and paths of the values that name the person."""
    about = {entry_id for entry_id, path, value, _ in rows if _is_field(path) and eraser.identifies(_name(path), value)}
    for entry_id, path, value, is_of_user in rows:
        is_beside = entry_id in about and rules.is_theirs(path)
        if is_beside or (is_of_user and _is_field(path)) or eraser.names(_name(path), value):
            yield entry_id, path


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_field(path: str) -> bool:
    """Whether the path is that of a field of the record, and not of an item of a list or of the caller."""
    return path.count("/") == 2  # noqa: PLR2004 - /before/email
