"""Statements on idempotency keys."""

import hashlib
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.idempotency.models import IdempotencyKey
from tessera.kit.database import Connection, UnitOfWork


class Given(NamedTuple):
    """An answer as it was given."""

    request_digest: bytes
    status: int
    body: bytes


class IdempotencyRepository:
    """One caller's keys, in the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork, caller_id: UUID) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._caller_id = caller_id

    async def try_lock(self, key: str) -> bool:
        """Take the key until the end of the transaction; False while another request has it."""
        name = f"{self._organization_id}/{self._caller_id}/{key}".encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        return bool((await self._connection.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one())

    async def find(self, key: str, *, since: datetime) -> Given | None:
        """The answer that was given under this key since then."""
        statement = select(IdempotencyKey.request_digest, IdempotencyKey.status, IdempotencyKey.body).where(
            IdempotencyKey.organization_id == self._organization_id,
            IdempotencyKey.caller_id == self._caller_id,
            IdempotencyKey.key == key,
            IdempotencyKey.created_at > since,
        )
        row = (await self._connection.execute(statement)).first()
        return Given(*row) if row else None

    async def put(self, key: str, given: Given, *, now: datetime) -> None:
        """Keep an answer, in place of one whose time is over."""
        values = {**given._asdict(), "created_at": now}
        statement = upsert(IdempotencyKey).values(
            organization_id=self._organization_id, caller_id=self._caller_id, key=key, **values
        )
        await self._connection.execute(statement.on_conflict_do_update(constraint="idempotency_keys_pk", set_=values))


async def delete_before(connection: Connection, moment: datetime) -> int:
    """Delete every organization's keys from before that moment, and say how many."""
    deleted = await connection.execute(select(func.delete_idempotency_keys(moment)))
    return int(deleted.scalar_one())
