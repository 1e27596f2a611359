"""Promo codes as a CSV file, which an import reads as well."""

from collections.abc import AsyncIterator
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter, ManagedPromoCode

# Each field of a promo code under the name of its column; the first eleven are what an import reads.
COLUMNS = {
    "name": "name",
    "status": "status",
    "discount_percent": "discountPercent",
    "flat_discount": "flatDiscount",
    "store_exam_codes": "storeExamCodes",
    "product_bundle_ids": "productBundleIds",
    "restrict_to_email_addresses": "restrictToEmailAddresses",
    "email_addresses": "emailAddresses",
    "expires_at": "expiresAt",
    "max_redemptions": "maxRedemptions",
    "max_redemptions_per_candidate": "maxRedemptionsPerCandidate",
    "notes": "notes",
    "redemption_count": "redemptionCount",
    "batch_id": "batchId",
    "created_at": "createdAt",
    "id": "id",
}


def csv(database: Database, organization_id: UUID, *, wanted: ManagedFilter) -> AsyncIterator[bytes]:
    """The file part by part, of any length: its first line names the columns, the others are oldest first."""

    async def list_after(after: UUID | None) -> list[ManagedPromoCode]:
        async with database.unit_of_work(organization_id) as work:
            return await service.list_after(work, wanted=wanted, after=after)

    return csv_export.file(COLUMNS, list_after)
