"""Vouchers as a CSV file."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.vouchers.issued.export.repository import VoucherExportRepository

EXPORTED_AT_ONCE = 1000

# Each field of a voucher under the name of its column.
COLUMNS = {
    "code": "code",
    "is_active": "isActive",
    "is_used": "isUsed",
    "expires_at": "expiresAt",
    "purchase_code": "purchaseCode",
    "partner_name": "partnerName",
    "recipient_email": "recipientEmail",
    "assigned_at": "assignedAt",
    "reservation_code": "reservationCode",
    "reservation_status": "reservationStatus",
    "store_exam_code": "storeExamCode",
    "used_at": "usedAt",
    "used_by_person_id": "usedByPersonId",
    "used_by_client_candidate_id": "usedByClientCandidateId",
    "used_by_first_name": "usedByFirstName",
    "used_by_last_name": "usedByLastName",
    "id": "id",
}


async def count(work: UnitOfWork) -> int:
    """How many vouchers an export has."""
    return await VoucherExportRepository(work).count()


def csv(database: Database, organization_id: UUID) -> AsyncIterator[bytes]:
    """The file part by part, of any length: its first line names the columns, the others are oldest first."""

    async def list_after(after: UUID | None) -> Sequence[AnyRow]:
        async with database.unit_of_work(organization_id) as work:
            return await VoucherExportRepository(work).list_after(after, size=EXPORTED_AT_ONCE)

    return csv_export.file(COLUMNS, list_after)
