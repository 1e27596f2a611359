"""Statements that delete one organization, in batches."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update

from tessera.identity.tables import Organization, OrganizationDeletion, OrganizationImport
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.promo_codes.tables import PromoCodeShare
from tessera.transfers.repository import TABLES

# Rows whose deletion takes some 20 ms.
BATCH_SIZE = 500
# On several nodes the application may delete their rows, but only in the function that retention calls.
SEALED_TABLES = frozenset({"audit_entries", "audit_seals"})

_DELETE = """
delete from {table} where organization_id = %(id)s and ctid = any (array(
    select ctid from {table} where organization_id = %(id)s limit {size}
)) returning 1
"""
_JOBS = text("delete from procrastinate_jobs where args ->> 'organization_id' = :organization_id returning 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A requested deletion: the digest of the export before it, and when it may begin and has begun."""

    digest: bytes
    due_at: datetime
    begun_at: datetime | None


class DeletionRepository:
    """The deletion of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find(self) -> Deletion | None:
        """The deletion of the organization, locked FOR UPDATE, if one is requested."""
        columns = (OrganizationDeletion.digest, OrganizationDeletion.due_at, OrganizationDeletion.begun_at)
        own = OrganizationDeletion.organization_id == self._organization_id
        row = (await self._connection.execute(select(*columns).where(own).with_for_update())).first()
        return Deletion(digest=row.digest, due_at=row.due_at, begun_at=row.begun_at) if row else None

    async def lock_frozen(self) -> bool:
        """Lock the organization, which cannot be unfrozen until the transaction ends; returns whether it is frozen."""
        statement = select(Organization.frozen_at).where(Organization.id == self._organization_id).with_for_update()
        return (await self._connection.execute(statement)).scalar_one_or_none() is not None

    async def request(self, *, digest: bytes, due_at: datetime, now: datetime) -> None:
        """Request the deletion."""
        values = {"organization_id": self._organization_id, "digest": digest, "requested_at": now, "due_at": due_at}
        await self._connection.execute(insert(OrganizationDeletion).values(**values))

    async def cancel(self) -> None:
        """Remove the request."""
        own = OrganizationDeletion.organization_id == self._organization_id
        await self._connection.execute(delete(OrganizationDeletion).where(own))

    async def note_beginning(self, *, now: datetime) -> None:
        """Note that the deletion has begun, and end all access to the organization."""
        own = OrganizationDeletion.organization_id == self._organization_id
        await self._connection.execute(update(OrganizationDeletion).where(own).values(begun_at=now))
        await self._connection.execute(
            update(Organization).where(Organization.id == self._organization_id).values(is_active=False)
        )
        await self._connection.execute(_JOBS, {"organization_id": str(self._organization_id)})

    async def delete_shares(self, used_by: UUID) -> None:
        """Delete the counts of an organization's uses of global promo codes; the platform must be pinned."""
        await self._connection.execute(
            delete(PromoCodeShare).where(
                PromoCodeShare.organization_id == self._organization_id, PromoCodeShare.used_by == used_by
            )
        )

    async def list_deletable(self) -> frozenset[str]:
        """The tables whose rows the application may delete itself."""
        statement = "select name from unnest(%s::text[]) as name where has_table_privilege(name, 'delete')"
        names = (await self._connection.exec_driver_sql(statement, (list(TABLES),))).scalars()
        return frozenset(names) - SEALED_TABLES

    async def delete_rows(self, table: str) -> int:
        """Delete up to `BATCH_SIZE` rows of a table that the application may delete; returns their number."""
        rows = await execute_text(
            self._connection, _DELETE.format(table=table, size=BATCH_SIZE), {"id": self._organization_id}
        )
        return len(await rows.fetchall())

    async def delete_protected_rows(self, organization_id: UUID, table: str) -> int:
        """Delete such rows of any table, for a unit of work pinned to the platform, after the deletion has begun."""
        statement = select(func.delete_organization_rows(organization_id, table, BATCH_SIZE))
        return int((await self._connection.execute(statement)).scalar_one())

    async def end(self) -> None:
        """Delete the request and the organization, which has no other rows."""
        for table in (OrganizationImport, OrganizationDeletion):
            await self._connection.execute(delete(table).where(table.organization_id == self._organization_id))
        await self._connection.execute(delete(Organization).where(Organization.id == self._organization_id))
