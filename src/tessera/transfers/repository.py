"""Statements on all rows of one organization, which are derived from the declared tables."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, Text, func, insert, literal, select, union_all, update
from sqlalchemy import delete as deletion

from tessera.identity.errors import NameTaken
from tessera.identity.rules import PLATFORM_ID
from tessera.identity.tables import Organization, OrganizationDeletion, OrganizationImport
from tessera.kit.db import schema_version, unique_constraints
from tessera.kit.db.advisory_locks import lock
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.metadata import metadata
from tessera.promo_codes.tables import PromoCodeBatch
from tessera.redemptions.tables import DroppedUses, LedgerEntry
from tessera.vouchers.tables import VoucherPurchase

CHUNK_SIZE = 1000
# What belongs to an installation, and not to its organizations' data.
NOT_TRANSFERRED = {OrganizationImport.__tablename__, OrganizationDeletion.__tablename__}
CREDENTIALS = {"api_clients", "api_keys", "issued_tokens"}
# The state of an organization in one installation.
NOT_TRANSFERRED_COLUMNS = {"frozen_at"}


def _owner(table: Table) -> str | None:
    """The column that names the organization of a row, if the table has one."""
    if table.name == Organization.__tablename__:
        return "id"
    return "organization_id" if "organization_id" in table.columns else None


# Rows come after those that they refer to.
TABLES: Mapping[str, Table] = {
    table.name: table for table in metadata.sorted_tables if _owner(table) and table.name not in NOT_TRANSFERRED
}


def columns_of(table: str) -> list[str]:
    """The columns that a file has, in the order of their names; the database generates the others."""
    columns = TABLES[table].columns
    return sorted(c.name for c in columns if c.computed is None and c.name not in NOT_TRANSFERRED_COLUMNS)


def _selection(table: str) -> str:
    declared = TABLES[table]
    # The order of texts must not depend on the collation of the database.
    order = [f'{c.name} collate "C"' if isinstance(c.type, Text) else c.name for c in declared.primary_key]
    return (
        f"select row_to_json(t)::text from (select {', '.join(columns_of(table))} from {table}"  # noqa: S608 - names of tables
        f" where {_owner(declared)} = %(organization_id)s order by {', '.join(order)}) t"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import that is not complete: the digest of its file, and the number of its rows that have arrived."""

    digest: bytes
    rows_done: int


class TransferRepository:
    """All rows of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._parameters = {"organization_id": work.organization_id}

    async def get_revision(self) -> str:
        """The revision of the schema."""
        row = (await self._connection.exec_driver_sql(schema_version.QUERY)).one()
        return str(row[0])

    async def count(self, table: str) -> int:
        """The number of rows in a table."""
        statement = f"select count(*) from {table} where {_owner(TABLES[table])} = %(organization_id)s"  # noqa: S608
        return int((await self._connection.exec_driver_sql(statement, self._parameters)).scalar_one())

    async def has_rows(self, table: str) -> bool:
        """Whether a table has rows."""
        statement = f"select from {table} where {_owner(TABLES[table])} = %(organization_id)s limit 1"
        return (await self._connection.exec_driver_sql(statement, self._parameters)).first() is not None

    async def read(self, table: str) -> AsyncIterator[list[str]]:
        """All rows of a table as JSON, in the order of the primary key, in chunks."""
        await execute_text(
            self._connection, f"declare all_rows no scroll cursor for {_selection(table)}", self._parameters
        )
        while rows := await self._fetch():
            yield rows
        await self._connection.exec_driver_sql("close all_rows")

    async def _fetch(self) -> list[str]:
        rows = await execute_text(self._connection, f"fetch {CHUNK_SIZE} from all_rows", {})
        return [text for (text,) in await rows.fetchall()]

    async def add(self, table: str, rows: Sequence[str]) -> None:
        """Add rows, which are JSON objects; raises the driver's error if they violate a constraint."""
        columns = ", ".join(columns_of(table))
        await execute_text(
            self._connection,
            f"insert into {table} ({columns}) select {columns}"  # noqa: S608 - names of tables
            f" from json_populate_recordset(null::{table}, %(rows)s::json) returning 1",
            {"rows": f"[{','.join(rows)}]"},
        )

    async def add_organization(self, *, name: str, digest: bytes, now: datetime) -> None:
        """Add the organization, frozen and without valid credentials, and its import; raises NameTaken."""
        arriving = {"is_active": False, "frozen_at": now, "created_at": now, "version": 1}
        organization = insert(Organization).values(id=self._organization_id, name=name, **arriving)
        with unique_constraints.raising(NameTaken("name", name)):
            await self._connection.execute(organization)
        arrival = {"organization_id": self._organization_id, "digest": digest, "rows_done": 0, "started_at": now}
        await self._connection.execute(insert(OrganizationImport).values(**arrival))

    async def lock_beginning(self) -> None:
        """Wait until no other transaction begins an import of the organization."""
        await lock(self._connection, f"import/{self._organization_id}")

    async def lock(self) -> Import | None:
        """The import of the organization, locked FOR UPDATE, unless it is complete."""
        statement = (
            select(OrganizationImport.digest, OrganizationImport.rows_done)
            .where(OrganizationImport.organization_id == self._organization_id)
            .with_for_update()
        )
        row = (await self._connection.execute(statement)).first()
        return Import(digest=row.digest, rows_done=row.rows_done) if row else None

    async def is_complete(self) -> bool:
        """Whether the organization has all its rows: its import has ended, and no deletion of it has begun."""
        arriving = select(OrganizationImport).where(OrganizationImport.organization_id == self._organization_id)
        leaving = select(OrganizationDeletion).where(
            OrganizationDeletion.organization_id == self._organization_id, OrganizationDeletion.begun_at.is_not(None)
        )
        statement = select(~arriving.exists() & ~leaving.exists())
        return bool((await self._connection.execute(statement)).scalar_one())

    async def note(self, rows_done: int) -> None:
        """Note how many rows have arrived."""
        await self._connection.execute(
            update(OrganizationImport)
            .where(OrganizationImport.organization_id == self._organization_id)
            .values(rows_done=rows_done)
        )

    async def complete(self, *, is_active: bool, created_at: datetime, version: int) -> None:
        """End the import, and give the organization the values of its file; it stays frozen."""
        await self._connection.execute(
            update(Organization)
            .where(Organization.id == self._organization_id)
            .values(is_active=is_active, created_at=created_at, version=version)
        )
        await self._connection.execute(
            deletion(OrganizationImport).where(OrganizationImport.organization_id == self._organization_id)
        )

    async def sum_global_uses(self) -> list[tuple[UUID, int, int]]:
        """The redeemed and held uses of global promo codes, by code."""
        entries = select(LedgerEntry.promo_code_id, LedgerEntry.redeemed_change, LedgerEntry.held_change).where(
            LedgerEntry.organization_id == self._organization_id, LedgerEntry.promo_code_owner_id == PLATFORM_ID
        )
        dropped = select(DroppedUses.used_id, DroppedUses.redeemed, literal(0)).where(
            DroppedUses.organization_id == self._organization_id, DroppedUses.owner_id == PLATFORM_ID
        )
        uses = union_all(entries, dropped).subquery()
        code, redeemed, held = uses.c
        statement = select(code, func.sum(redeemed), func.sum(held)).group_by(code)
        rows = await self._connection.execute(statement)
        return [(code, int(redeemed), int(held)) for code, redeemed, held in rows]

    async def list_waiting_purchases(self) -> Sequence[UUID]:
        """The purchases whose vouchers a job has to create."""
        statement = select(VoucherPurchase.id).where(
            VoucherPurchase.organization_id == self._organization_id, VoucherPurchase.status == "VoucherCreation"
        )
        return (await self._connection.execute(statement)).scalars().all()

    async def list_open_batches(self) -> Sequence[UUID]:
        """The batches of promo codes that jobs have to go on with."""
        statement = select(PromoCodeBatch.id).where(
            PromoCodeBatch.organization_id == self._organization_id, PromoCodeBatch.status == "InProgress"
        )
        return (await self._connection.execute(statement)).scalars().all()
