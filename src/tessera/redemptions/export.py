"""Redemptions as a CSV file."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.record_metadata import export as metadata
from tessera.record_metadata.rules import Kind
from tessera.redemptions import lifecycle
from tessera.redemptions.lifecycle import Redemption, RedemptionFilter
from tessera.redemptions.validate import CodeKind

# No other request is executed while the rows of a page become records.
PAGE_SIZE = 250
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
    "madeBy",
    "heldUntil",
    "createdAt",
    "updatedAt",
)


async def csv(
    database: Database, organization_id: UUID, filters: RedemptionFilter, *, reveals: bool, now: datetime
) -> AsyncIterator[bytes]:
    """A header line, then the redemptions as of `now` in order of creation; codes of vouchers are masked or revealed.

    Each page has its own unit of work, so a slow reader holds neither a connection nor old row versions. A change
    during the export appears in the pages that are read after it.
    """
    texts = await metadata.columns(database, organization_id, Kind.REDEMPTION)
    yield csv_export.lines([[*COLUMNS, *texts]])
    after, has_more = None, True
    while has_more:
        async with database.unit_of_work(organization_id) as work:
            page = await lifecycle.list_by_cursor(work, filters, now=now, after=after, size=PAGE_SIZE)
        items = page.items if reveals else [each.masked for each in page.items]
        yield await csv_export.page(items, lambda each: [*_cells(each), *(read(each) for read in texts.values())])
        after, has_more = page.cursor, page.cursor is not None


def _cells(redemption: Redemption) -> list[object]:
    return [
        redemption.id,
        redemption.status,
        redemption.code,
        CodeKind.VOUCHER if redemption.voucher_id else CodeKind.PROMO_CODE,
        redemption.reservation_code,
        redemption.reservation_status,
        redemption.store_exam_code,
        redemption.product_bundle_id,
        redemption.person_id,
        redemption.client_candidate_id,
        redemption.first_name,
        redemption.last_name,
        redemption.email,
        redemption.list_price,
        redemption.discount,
        redemption.final_price,
        redemption.made_by,
        redemption.held_until,
        redemption.created_at,
        redemption.updated_at,
    ]
