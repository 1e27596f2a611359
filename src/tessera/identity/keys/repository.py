"""Statements on the API keys of one tenant."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, select, update

from tessera.identity.tables import ApiKey
from tessera.kit.db.arrays import Uuids
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedKey:
    """An API key with its rights, its status and its version."""

    id: UUID
    name: str
    function_points: tuple[str, ...]
    networks: tuple[str, ...]
    first_key_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    version: int


_COLUMNS = [getattr(ApiKey, name) for name in ManagedKey.__dataclass_fields__]

# Rows that are locked, by an edit or by another process that writes uses, are left out. On Citus an UPDATE cannot
# subtract an interval from a column.
_SET_LAST_USED = TextQuery("""
update api_keys set last_used_at = uses.at
from unnest(%(ids)s::uuid[], %(times)s::timestamptz[], %(earlier_times)s::timestamptz[]) as uses (id, at, earlier)
where api_keys.organization_id = %(organization_id)s and api_keys.id = uses.id and api_keys.id = any (array(
    select k.id from api_keys k where k.organization_id = %(organization_id)s and k.id = any (%(ids)s::uuid[])
    for no key update skip locked
)) and (last_used_at is null or last_used_at <= uses.earlier)
returning api_keys.id
""")


async def set_last_used(work: UnitOfWork, uses: Mapping[UUID, Mapping[UUID, datetime]], *, interval: timedelta) -> None:
    """Store when keys of each organization were last used, unless the stored time is less than `interval` earlier."""
    parts = []
    for each, own in uses.items():
        values = {"times": [*own.values()], "earlier_times": [at - interval for at in own.values()]}
        parts.append(Part(each, _SET_LAST_USED, {"organization_id": each, "ids": Uuids([*own]), **values}))
    await execute_parts(work, parts)


class KeyRepository:
    """The API keys of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, key: ManagedKey, *, digest: bytes) -> None:
        """Add a key with the digest of its text."""
        lists = {"function_points": list(key.function_points), "networks": list(key.networks) or None}
        values = asdict(key) | lists
        await self._connection.execute(
            insert(ApiKey).values(organization_id=self._organization_id, key_digest=digest, **values)
        )

    async def find(self, key_id: UUID) -> ManagedKey | None:
        """The key with this id."""
        return await fetch_first(self._connection, self._select().where(ApiKey.id == key_id), _managed)

    async def lock(self, key_id: UUID) -> ManagedKey | None:
        """The key with this id, locked FOR UPDATE."""
        return await fetch_first(
            self._connection, self._select().where(ApiKey.id == key_id).with_for_update(), _managed
        )

    async def list_by_cursor(self, *, after: str | None, size: int) -> CursorPage[ManagedKey]:
        """A page of keys, oldest first."""
        order = [ApiKey.__table__.c.id]
        page = await fetch_cursor_page(self._connection, self._select(), order=order, after=after, size=size)
        return page.map(_managed)

    async def change(self, key: ManagedKey) -> None:
        """Write the state and the version of a locked key."""
        await self._connection.execute(
            update(ApiKey)
            .where(ApiKey.organization_id == self._organization_id, ApiKey.id == key.id)
            .values(expires_at=key.expires_at, revoked_at=key.revoked_at, version=key.version)
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*_COLUMNS).where(ApiKey.organization_id == self._organization_id)


def _managed(row: AnyRow) -> ManagedKey:
    networks = tuple(str(network) for network in row.networks or ())
    return record_of(ManagedKey, row, function_points=tuple(row.function_points), networks=networks)
