"""Vouchers as a CSV file."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.record_metadata import export as metadata
from tessera.record_metadata.rules import Kind
from tessera.vouchers import codes
from tessera.vouchers.issued.export.repository import VoucherExportRepository

EXPORT_PAGE_SIZE = 500

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


async def csv(database: Database, organization_id: UUID, *, reveals: bool) -> AsyncIterator[bytes]:
    """The chunks of the CSV file: a header line, then the vouchers, oldest first; codes are masked or revealed."""
    columns = csv_export.columns_of(COLUMNS) | await metadata.columns(database, organization_id, Kind.VOUCHER)
    if not reveals:
        columns |= {"code": _masked_code, "reservationCode": _masked_reservation_code}

    async def list_after(after: UUID | None) -> Sequence[AnyRow]:
        async with database.unit_of_work(organization_id) as work:
            return await VoucherExportRepository(work).list_after(after, size=EXPORT_PAGE_SIZE)

    async for chunk in csv_export.file(columns, list_after):
        yield chunk


def _masked_code(voucher: AnyRow) -> str:
    return codes.mask(voucher.code)


def _masked_reservation_code(voucher: AnyRow) -> str | None:
    # The reservation of an imported voucher may be named after it.
    reservation: str | None = voucher.reservation_code
    return reservation and reservation.replace(voucher.code, codes.mask(voucher.code))
