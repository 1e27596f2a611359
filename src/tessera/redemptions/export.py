"""Redemptions as a CSV file, of any length."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.redemptions import lifecycle
from tessera.redemptions.lifecycle import Redemption, RedemptionFilter
from tessera.redemptions.validate import CodeKind

# Few enough to keep nobody else waiting while they are put into words.
AT_ONCE = 500
COLUMNS = (
    "id",
    "status",
    "code",
    "kind",
    "reservationCode",
    "reservationStatus",
    "storeExamCode",
    "productBundleId",
    "personId",
    "clientCandidateId",
    "firstName",
    "lastName",
    "email",
    "listPrice",
    "discount",
    "finalPrice",
    "heldUntil",
    "createdAt",
    "updatedAt",
)


async def csv(
    database: Database, organization_id: UUID, wanted: RedemptionFilter, *, now: datetime
) -> AsyncIterator[bytes]:
    """The redemptions in order of creation, as they are at `now`; the first line names the columns.

    Each part is a unit of work of its own: a slow reader holds neither a connection nor old versions of rows, and what
    changes meanwhile is told as it is when its turn comes.
    """
    yield csv_export.lines([COLUMNS])
    after, more = None, True
    while more:
        async with database.unit_of_work(organization_id) as work:
            part = await lifecycle.list_by_cursor(work, wanted, now=now, after=after, size=AT_ONCE)
        yield csv_export.lines([_cells(each) for each in part.items])
        after, more = part.cursor, part.cursor is not None


def _cells(found: Redemption) -> list[object]:
    return [
        found.id,
        found.status,
        found.code,
        CodeKind.VOUCHER if found.voucher_id else CodeKind.PROMO_CODE,
        found.reservation_code,
        found.reservation_status,
        found.store_exam_code,
        found.product_bundle_id,
        found.person_id,
        found.client_candidate_id,
        found.first_name,
        found.last_name,
        found.email,
        found.list_price,
        found.discount,
        found.list_price - found.discount,
        found.held_until,
        found.created_at,
        found.updated_at,
    ]
