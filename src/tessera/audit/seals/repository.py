"""Statements on the chain of seals over the audit log of one tenant."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Text,
    Uuid,
    and_,
    cast,
    func,
    literal_column,
    select,
)

from tessera.audit.seals.rules import BEGINNING, Head, Seal, SealedEntry
from tessera.audit.tables import AuditEntry, AuditSeal, AuditUnsealed
from tessera.kit.db.arrays import Binaries, Uuids
from tessera.kit.db.compiled_queries import CompiledQuery, execute_pipelined, parameter
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork, execute_text

_JSON_COLUMNS = {"before", "after"}
_ENTRY_COLUMNS = [
    cast(getattr(AuditEntry, name), Text).label(name) if name in _JSON_COLUMNS else getattr(AuditEntry, name)
    for name in SealedEntry.__dataclass_fields__
]


def _is_entry_of(table: type[AuditSeal | AuditUnsealed]) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy
    return and_(AuditEntry.organization_id == table.organization_id, AuditEntry.id == table.entry_id)


_ORGANIZATION = parameter("organization_id", Uuid())
_LOCK = CompiledQuery(select(func.pg_try_advisory_xact_lock(parameter("number", BigInteger()))))
_HEAD = CompiledQuery(
    select(AuditSeal.position, AuditSeal.digest)
    .where(AuditSeal.organization_id == _ORGANIZATION)
    .order_by(AuditSeal.position.desc())
    .limit(literal_column("1"))
)
_UNSEALED = CompiledQuery(
    select(*_ENTRY_COLUMNS)
    .join_from(AuditUnsealed, AuditEntry, _is_entry_of(AuditUnsealed))
    .where(AuditUnsealed.organization_id == _ORGANIZATION)
    .order_by(AuditUnsealed.entry_id)
    .limit(parameter("size", BigInteger()))
)
# One statement, because each round trip counts where thousands of organizations have one entry each.
_SEAL = """
with seals as (
    insert into audit_seals (organization_id, position, entry_id, digest, sealed_at)
    select %(organization_id)s, seal.position, seal.entry_id, seal.digest, %(now)s
    from unnest(%(positions)s::bigint[], %(entry_ids)s::uuid[], %(digests)s::bytea[])
         as seal (position, entry_id, digest)
)
delete from audit_unsealed
where organization_id = %(organization_id)s and entry_id = any (%(entry_ids)s::uuid[])
"""


class SealRepository:
    """The seals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def try_lock(self) -> bool:
        """Take the lock for sealing until the transaction ends; False if another transaction has it."""
        name = f"audit/{self._organization_id}".encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        ((is_locked,),) = await _LOCK.all(self._connection, {"number": number})
        return bool(is_locked)

    async def list_unsealed(self, size: int) -> tuple[Head, list[SealedEntry]]:
        """The head of the chain (position 0 before the first seal) and up to `size` unsealed entries, oldest first."""
        values = {"organization_id": self._organization_id}
        heads, entries = await execute_pipelined(
            self._connection, [(_HEAD, values), (_UNSEALED, values | {"size": size})]
        )
        head = Head(heads[0].position, heads[0].digest) if heads else Head(0, BEGINNING)
        return head, [_entry(row) for row in entries]

    async def find_digest(self, position: int) -> bytes | None:
        """The digest of the seal at this position."""
        statement = select(AuditSeal.digest).where(
            AuditSeal.organization_id == self._organization_id, AuditSeal.position == position
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    async def count_unsealed(self) -> int:
        """The number of unsealed entries."""
        unsealed = select(func.count()).where(AuditUnsealed.organization_id == self._organization_id)
        return int((await self._connection.execute(unsealed)).scalar_one())

    async def add(self, seals: Sequence[Seal], *, now: datetime) -> None:
        """Add seals, and remove their entries from the unsealed ones."""
        values = {
            "organization_id": self._organization_id,
            "positions": [seal.position for seal in seals],
            "entry_ids": Uuids([seal.entry_id for seal in seals]),
            "digests": Binaries([seal.digest for seal in seals]),
            "now": now,
        }
        await execute_text(self._connection, _SEAL, values)

    async def list_links(self, *, after: int, size: int) -> list[tuple[Seal, SealedEntry | None]]:
        """Up to `size` seals after a position, each with the current state of its entry, if it exists."""
        statement = (
            select(AuditSeal.position, AuditSeal.entry_id, AuditSeal.digest, *_ENTRY_COLUMNS)
            .join_from(AuditSeal, AuditEntry, _is_entry_of(AuditSeal), isouter=True)
            .where(AuditSeal.organization_id == self._organization_id, AuditSeal.position > after)
            .order_by(AuditSeal.position)
            .limit(literal_column(str(size)))
        )
        rows = await self._connection.execute(statement)
        return [(Seal(row.position, row.entry_id, row.digest), None if row.id is None else _entry(row)) for row in rows]

    async def list_untracked(self, size: int) -> Sequence[UUID]:
        """Up to `size` entries that have neither a seal nor a row in `audit_unsealed`."""
        # Scalar subqueries cost one lookup each. For joins, a planner without statistics on the seals may scan all of
        # them for each entry.
        sealed = select(AuditSeal.position).where(
            AuditSeal.organization_id == self._organization_id, AuditSeal.entry_id == AuditEntry.id
        )
        unsealed = select(AuditUnsealed.entry_id).where(
            AuditUnsealed.organization_id == self._organization_id, AuditUnsealed.entry_id == AuditEntry.id
        )
        entries = select(AuditEntry.id).where(
            AuditEntry.organization_id == self._organization_id,
            sealed.correlate(AuditEntry).scalar_subquery().is_(None),
            unsealed.correlate(AuditEntry).scalar_subquery().is_(None),
        )
        return (await self._connection.execute(entries.order_by(AuditEntry.id).limit(size))).scalars().all()

    async def list_unsealed_organizations(self) -> Sequence[UUID]:
        """The organizations with unsealed entries; none unless the platform itself is pinned."""
        return (await self._connection.execute(select(func.list_unsealed_organizations()))).scalars().all()


def _entry(row: AnyRow) -> SealedEntry:
    return record_of(SealedEntry, row)
