"""Promo codes as a CSV file, which an import reads as well."""

from collections.abc import AsyncIterator
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.promo_codes.imports.cells import COLUMNS
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter, ManagedPromoCode


def csv(database: Database, organization_id: UUID, filters: ManagedFilter) -> AsyncIterator[bytes]:
    """The file part by part, of any length: its first line names the columns, the others are oldest first."""

    async def list_after(after: UUID | None) -> list[ManagedPromoCode]:
        async with database.unit_of_work(organization_id) as work:
            return await service.list_after(work, filters=filters, after=after)

    return csv_export.file(COLUMNS, list_after)
