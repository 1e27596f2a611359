"""Statements on the chain of seals of one tenant's audit log."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Text,
    Uuid,
    and_,
    any_,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.audit.models import AuditEntry, AuditSeal, AuditUnsealed
from tessera.audit.seals.rules import BEGINNING, Head, Seal, SealedEntry
from tessera.kit.database import AnyRow, UnitOfWork

_AS_TEXT = {"before", "after"}
_ENTRY = [
    cast(getattr(AuditEntry, name), Text).label(name) if name in _AS_TEXT else getattr(AuditEntry, name)
    for name in SealedEntry.__dataclass_fields__
]


class SealRepository:
    """The seals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def try_lock(self) -> bool:
        """Be the only one who seals here until the end of the transaction; False while another one does."""
        name = f"audit/{self._organization_id}".encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        return bool((await self._connection.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one())

    async def head(self) -> Head:
        """The last seal, or what stands in place of one."""
        statement = (
            select(AuditSeal.position, AuditSeal.digest)
            .where(AuditSeal.organization_id == self._organization_id)
            .order_by(AuditSeal.position.desc())
            .limit(literal_column("1"))
        )
        row = (await self._connection.execute(statement)).first()
        return Head(row.position, row.digest) if row else Head(0, BEGINNING)

    async def find_digest(self, position: int) -> bytes | None:
        """The digest of the seal at this position."""
        statement = select(AuditSeal.digest).where(
            AuditSeal.organization_id == self._organization_id, AuditSeal.position == position
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    async def list_unsealed(self, size: int) -> list[SealedEntry]:
        """Some of the entries that wait for their seal, oldest first."""
        waiting = (
            select(*_ENTRY)
            .join_from(AuditUnsealed, AuditEntry, _is_entry_of(AuditUnsealed))
            .where(AuditUnsealed.organization_id == self._organization_id)
            .order_by(AuditUnsealed.entry_id)
            .limit(literal_column(str(size)))
        )
        return [_entry(row) for row in await self._connection.execute(waiting)]

    async def add(self, seals: Sequence[Seal], *, now: datetime) -> None:
        """Add seals, and take their entries from those that wait."""
        common = {"organization_id": self._organization_id, "sealed_at": now}
        rows = [
            common | {"position": seal.position, "entry_id": seal.entry_id, "digest": seal.digest} for seal in seals
        ]
        await self._connection.execute(insert(AuditSeal), rows)
        await self._connection.execute(
            delete(AuditUnsealed).where(
                AuditUnsealed.organization_id == self._organization_id,
                AuditUnsealed.entry_id == any_(literal([seal.entry_id for seal in seals], ARRAY(Uuid))),
            )
        )

    async def list_links(self, *, after: int, size: int) -> list[tuple[Seal, SealedEntry | None]]:
        """Some of the seals behind a position, each with its entry as it is now, if it is there."""
        statement = (
            select(AuditSeal.position, AuditSeal.entry_id, AuditSeal.digest, *_ENTRY)
            .join_from(AuditSeal, AuditEntry, _is_entry_of(AuditSeal), isouter=True)
            .where(AuditSeal.organization_id == self._organization_id, AuditSeal.position > after)
            .order_by(AuditSeal.position)
            .limit(literal_column(str(size)))
        )
        rows = await self._connection.execute(statement)
        return [(Seal(row.position, row.entry_id, row.digest), None if row.id is None else _entry(row)) for row in rows]

    async def list_forgotten(self, size: int) -> Sequence[UUID]:
        """Some of the entries that have no seal and do not wait for one either."""
        entries = select(AuditEntry.id).where(
            AuditEntry.organization_id == self._organization_id,
            ~exists().where(AuditSeal.organization_id == self._organization_id, AuditSeal.entry_id == AuditEntry.id),
            ~exists().where(
                AuditUnsealed.organization_id == self._organization_id, AuditUnsealed.entry_id == AuditEntry.id
            ),
        )
        return (await self._connection.execute(entries.order_by(AuditEntry.id).limit(size))).scalars().all()

    async def list_unsealed_organizations(self) -> Sequence[UUID]:
        """The organizations in which entries wait; none unless the platform itself is pinned."""
        return (await self._connection.execute(select(func.list_unsealed_organizations()))).scalars().all()


def _is_entry_of(table: type[AuditSeal | AuditUnsealed]) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy
    return and_(AuditEntry.organization_id == table.organization_id, AuditEntry.id == table.entry_id)


def _entry(row: AnyRow) -> SealedEntry:
    return SealedEntry(**{name: getattr(row, name) for name in SealedEntry.__dataclass_fields__})
