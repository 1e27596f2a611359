"""Statements on the chain of seals over the audit log of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Text,
    Uuid,
    and_,
    any_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.audit.rules import Action, SaltedValue
from tessera.audit.seals.rules import BEGINNING, FIRST_RULE, Head, Link, Seal, SealedEntry
from tessera.audit.tables import AuditEntry, AuditSeal, AuditStub, AuditUnsealed, AuditValue
from tessera.kit.db.advisory_locks import lock_number, try_locks
from tessera.kit.db.arrays import Binaries, Uuids
from tessera.kit.db.compiled_queries import CompiledQuery, TextQuery, parameter
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork

# The name of the digests of amended entries in the entry of an erasure.
AMENDED = "amended_entries"
_JSON_COLUMNS = {"before", "after"}
_ENTRY_COLUMNS = [
    cast(getattr(AuditEntry, name), Text).label(name) if name in _JSON_COLUMNS else getattr(AuditEntry, name)
    for name in SealedEntry.__dataclass_fields__
]


def _is_entry_of(table: type[AuditSeal | AuditUnsealed]) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy
    return and_(AuditEntry.organization_id == table.organization_id, AuditEntry.id == table.entry_id)


_ORGANIZATION = parameter("organization_id", Uuid())
_last = (
    select(AuditSeal.position, AuditSeal.digest)
    .where(AuditSeal.organization_id == _ORGANIZATION)
    .order_by(AuditSeal.position.desc())
    .limit(literal_column("1"))
)
# The head is repeated in each row, so that one statement reads both.
_UNSEALED = CompiledQuery(
    select(
        *_ENTRY_COLUMNS,
        _last.with_only_columns(AuditSeal.position).scalar_subquery().label("head_position"),
        _last.with_only_columns(AuditSeal.digest).scalar_subquery().label("head_digest"),
    )
    .join_from(AuditUnsealed, AuditEntry, _is_entry_of(AuditUnsealed))
    .where(AuditUnsealed.organization_id == _ORGANIZATION)
    .order_by(AuditUnsealed.entry_id)
    .limit(parameter("size", BigInteger()))
)
# One statement, because each counts where thousands of organizations have one entry each.
_SEAL = TextQuery("""
with seals as (
    insert into audit_seals (organization_id, position, entry_id, digest, sealed_at, rule)
    select %(organization_id)s, seal.position, seal.entry_id, seal.digest, %(now)s, seal.rule
    from unnest(%(positions)s::bigint[], %(entry_ids)s::uuid[], %(digests)s::bytea[], %(rules)s::bigint[])
         as seal (position, entry_id, digest, rule)
    returning position
)
delete from audit_unsealed
where organization_id = %(organization_id)s and entry_id = any (%(entry_ids)s::uuid[])
returning entry_id
""")


async def try_lock(work: UnitOfWork, organization_ids: Sequence[UUID]) -> list[UUID]:
    """Take the locks for sealing these organizations; returns those that no other transaction is sealing."""
    locked = await try_locks(work, [lock_number(f"audit/{each}") for each in organization_ids])
    return [each for each, is_locked in zip(organization_ids, locked, strict=True) if is_locked]


async def list_unsealed(
    work: UnitOfWork, organization_ids: Sequence[UUID], *, size: int
) -> dict[UUID, tuple[Head, list[SealedEntry]]]:
    """The head of each chain (position 0 before the first seal) and up to `size` unsealed entries, oldest first."""
    parts = [Part(each, _UNSEALED, {"organization_id": each, "size": size}) for each in organization_ids]
    results = zip(organization_ids, await execute_parts(work, parts), strict=True)
    return {each: (_head(rows[0]), [_entry(row) for row in rows]) for each, rows in results if rows}


async def add(work: UnitOfWork, seals: Mapping[UUID, Sequence[Seal]], *, now: datetime) -> None:
    """Add the seals of each organization, and remove their entries from the unsealed ones."""
    await execute_parts(work, [Part(each, _SEAL, _seal_values(each, seals[each], now=now)) for each in seals])


def _head(row: AnyRow) -> Head:
    return Head(0, BEGINNING) if row.head_position is None else Head(row.head_position, row.head_digest)


def _seal_values(organization_id: UUID, seals: Sequence[Seal], *, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "positions": [seal.position for seal in seals],
        "entry_ids": Uuids([seal.entry_id for seal in seals]),
        "digests": Binaries([seal.digest for seal in seals]),
        "rules": [seal.rule for seal in seals],
        "now": now,
    }


class SealRepository:
    """The seals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_start(self) -> Head:
        """The last link of the dropped entries, position 0 if none were dropped."""
        statement = select(AuditStub.position, AuditStub.digest).where(
            AuditStub.organization_id == self._organization_id
        )
        row = (await self._connection.execute(statement)).first()
        return Head(row.position, row.digest) if row else Head(0, BEGINNING)

    async def drop(self, last_position: int, *, now: datetime) -> int:
        """Drop the entries up to this position, which must not be the last one; returns their number."""
        dropped = await self._connection.execute(select(func.drop_audit_entries(last_position, now)))
        return int(dropped.scalar_one())

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

    async def list_links(self, *, after: int, size: int) -> list[Link]:
        """Up to `size` seals after a position, each with the current state of its entry, if it exists."""
        rule = func.coalesce(AuditSeal.rule, FIRST_RULE).label("rule")
        statement = (
            select(AuditSeal.position, AuditSeal.entry_id, AuditSeal.digest, rule, *_ENTRY_COLUMNS)
            .join_from(AuditSeal, AuditEntry, _is_entry_of(AuditSeal), isouter=True)
            .where(AuditSeal.organization_id == self._organization_id, AuditSeal.position > after)
            .order_by(AuditSeal.position)
            .limit(literal_column(str(size)))
        )
        rows = (await self._connection.execute(statement)).all()
        values = await self._values([row.id for row in rows if row.digests])
        return [
            (
                Seal(row.position, row.entry_id, row.digest, row.rule),
                None if row.id is None else _entry(row),
                values[row.entry_id],
            )
            for row in rows
        ]

    async def _values(self, entry_ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, SaltedValue]]:
        """The values of entries that name a person, by entry and path."""
        statement = select(AuditValue.entry_id, AuditValue.path, AuditValue.value, AuditValue.salt).where(
            AuditValue.organization_id == self._organization_id,
            AuditValue.entry_id == any_(literal(list(entry_ids), ARRAY(Uuid))),
        )
        values: defaultdict[UUID, dict[str, SaltedValue]] = defaultdict(dict)
        for entry_id, path, value, salt in await self._connection.execute(statement):
            values[entry_id][path] = SaltedValue(value, salt)
        return values

    async def list_under_first_rule(self, ids: Sequence[UUID]) -> list[SealedEntry]:
        """Those of these entries that the first rule seals, or will seal."""
        statement = (
            select(*_ENTRY_COLUMNS)
            .join_from(AuditEntry, AuditSeal, _is_entry_of(AuditSeal), isouter=True)
            .where(
                AuditEntry.organization_id == self._organization_id,
                AuditEntry.id == any_(literal(list(ids), ARRAY(Uuid))),
                or_(
                    and_(AuditSeal.position.is_(None), AuditEntry.digests.is_(None)),
                    and_(AuditSeal.position.is_not(None), func.coalesce(AuditSeal.rule, FIRST_RULE) == FIRST_RULE),
                ),
            )
        )
        return [_entry(row) for row in await self._connection.execute(statement)]

    async def list_amendments(self) -> Sequence[dict[str, str]]:
        """The digests of contents by entry, from each erasure of a person."""
        statement = select(AuditEntry.after[AMENDED]).where(
            AuditEntry.organization_id == self._organization_id,
            AuditEntry.action == Action.ERASED,
            AuditEntry.entity_kind == "Person",
        )
        return (await self._connection.execute(statement)).scalars().all()

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
