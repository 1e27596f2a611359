"""Statements on the chain of seals over the audit log of one tenant."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    Text,
    Uuid,
    and_,
    any_,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.audit.seals.rules import BEGINNING, Head, Seal, SealedEntry
from tessera.audit.tables import AuditEntry, AuditSeal, AuditUnsealed
from tessera.kit.db.records import record_of
from tessera.kit.db.table_base import Timestamp
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork

_JSON_COLUMNS = {"before", "after"}
_ENTRY_COLUMNS = [
    cast(getattr(AuditEntry, name), Text).label(name) if name in _JSON_COLUMNS else getattr(AuditEntry, name)
    for name in SealedEntry.__dataclass_fields__
]


class SealRepository:
    """The seals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def try_lock(self) -> bool:
        """Take the lock for sealing until the transaction ends; False if another transaction has it."""
        name = f"audit/{self._organization_id}".encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        return bool((await self._connection.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one())

    async def get_head(self) -> Head:
        """The head of the chain, which is at position 0 before the first seal."""
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
        """Up to `size` unsealed entries, oldest first."""
        unsealed = (
            select(*_ENTRY_COLUMNS)
            .join_from(AuditUnsealed, AuditEntry, _is_entry_of(AuditUnsealed))
            .where(AuditUnsealed.organization_id == self._organization_id)
            .order_by(AuditUnsealed.entry_id)
            .limit(literal_column(str(size)))
        )
        return [_entry(row) for row in await self._connection.execute(unsealed)]

    async def count_unsealed(self) -> int:
        """The number of unsealed entries."""
        unsealed = select(func.count()).where(AuditUnsealed.organization_id == self._organization_id)
        return int((await self._connection.execute(unsealed)).scalar_one())

    async def add(self, seals: Sequence[Seal], *, now: datetime) -> None:
        """Add seals, and remove their entries from the unsealed ones."""
        # Arrays, because the driver would execute one statement for each of a thousand rows.
        rows = select(
            literal(self._organization_id, Uuid),
            func.unnest(literal([seal.position for seal in seals], ARRAY(BigInteger))),
            func.unnest(literal([seal.entry_id for seal in seals], ARRAY(Uuid))),
            func.unnest(literal([seal.digest for seal in seals], ARRAY(LargeBinary))),
            literal(now, Timestamp),
        )
        columns = ["organization_id", "position", "entry_id", "digest", "sealed_at"]
        await self._connection.execute(insert(AuditSeal).from_select(columns, rows))
        await self._connection.execute(
            delete(AuditUnsealed).where(
                AuditUnsealed.organization_id == self._organization_id,
                AuditUnsealed.entry_id == any_(literal([seal.entry_id for seal in seals], ARRAY(Uuid))),
            )
        )

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


def _is_entry_of(table: type[AuditSeal | AuditUnsealed]) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy
    return and_(AuditEntry.organization_id == table.organization_id, AuditEntry.id == table.entry_id)


def _entry(row: AnyRow) -> SealedEntry:
    return record_of(SealedEntry, row)
