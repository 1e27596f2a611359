"""Queries on idempotency keys."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.idempotency.tables import IdempotencyKey
from tessera.kit.db.unit_of_work import Connection, UnitOfWork


class StoredResponse(NamedTuple):
    """The response that was sent for a key."""

    request_digest: bytes
    status: int
    body: bytes


class CallersKey(NamedTuple):
    """A key of one caller; another caller may use the same text."""

    caller_id: UUID
    key: str


class IdempotencyRepository:
    """The keys of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def try_lock(self, keys: Sequence[CallersKey]) -> list[bool]:
        """Lock the keys until the end of the transaction; False for each that another request holds."""
        rows = await self._connection.exec_driver_sql(
            "select pg_try_advisory_xact_lock(n) from unnest(%s::bigint[]) with ordinality as locks (n, place)"
            " order by place",
            ([self._lock_number(key) for key in keys],),
        )
        return list(rows.scalars())

    def _lock_number(self, key: CallersKey) -> int:
        name = f"{self._organization_id}/{key.caller_id}/{key.key}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)

    async def find(self, keys: Sequence[CallersKey], *, since: datetime) -> dict[CallersKey, StoredResponse]:
        """The responses that were stored under these keys after `since`."""
        rows = await self._connection.exec_driver_sql(
            "select k.caller_id, k.key, k.request_digest, k.status, k.body"
            " from unnest(%(callers)s::uuid[], %(keys)s::text[]) as requests (caller_id, key)"
            " join idempotency_keys k on k.organization_id = %(organization_id)s and k.caller_id = requests.caller_id"
            " and k.key = requests.key where k.created_at > %(since)s",
            {
                "organization_id": self._organization_id,
                "callers": [key.caller_id for key in keys],
                "keys": [key.key for key in keys],
                "since": since,
            },
        )
        return {
            CallersKey(row.caller_id, row.key): StoredResponse(row.request_digest, row.status, row.body) for row in rows
        }

    async def put(self, responses: Mapping[CallersKey, StoredResponse], *, now: datetime) -> None:
        """Store responses; they replace expired ones."""
        rows = [
            {"organization_id": self._organization_id, **key._asdict(), **response._asdict(), "created_at": now}
            for key, response in responses.items()
        ]
        statement = upsert(IdempotencyKey)
        replacements = {name: statement.excluded[name] for name in (*StoredResponse._fields, "created_at")}
        await self._connection.execute(
            statement.on_conflict_do_update(constraint="idempotency_keys_pk", set_=replacements), rows
        )


async def delete_between(connection: Connection, start: datetime, end: datetime, *, size: int) -> Sequence[datetime]:
    """Delete up to `size` keys from `start` on and before `end`, oldest first, of organizations that are not frozen.

    Returns their times.
    """
    deleted = await connection.execute(select(func.delete_idempotency_keys(start, end, size)))
    return deleted.scalars().all()
