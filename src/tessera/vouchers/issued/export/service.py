"""Vouchers as a CSV file."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.record_metadata import export as metadata
from tessera.record_metadata.rules import Kind
from tessera.vouchers.issued.export.repository import VoucherExportRepository

EXPORT_PAGE_SIZE = 1000

COLUMNS = (
    "code",
    "is_active",
    "is_used",
    "expires_at",
    "purchase_code",
    "partner_name",
    "recipient_email",
    "assigned_at",
    "reservation_code",
    "reservation_status",
    "store_exam_code",
    "used_at",
    "used_by_person_id",
    "used_by_client_candidate_id",
    "used_by_first_name",
    "used_by_last_name",
    "id",
)


async def count(work: UnitOfWork) -> int:
    """The number of vouchers in the export."""
    return await VoucherExportRepository(work).count()


async def csv(database: Database, organization_id: UUID) -> AsyncIterator[bytes]:
    """The chunks of the CSV file: a header line, then the vouchers, oldest first."""
    columns = csv_export.columns_of(COLUMNS) | await metadata.columns(database, organization_id, Kind.VOUCHER)

    async def list_after(after: UUID | None) -> Sequence[AnyRow]:
        async with database.unit_of_work(organization_id) as work:
            return await VoucherExportRepository(work).list_after(after, size=EXPORT_PAGE_SIZE)

    async for chunk in csv_export.file(columns, list_after):
        yield chunk
