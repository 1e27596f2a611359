"""Promo codes as a CSV file that can be imported."""

from collections.abc import AsyncIterator
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.promo_codes.imports.cells import COLUMNS
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter, ManagedPromoCode
from tessera.record_metadata import export as metadata
from tessera.record_metadata.rules import Kind


async def csv(database: Database, organization_id: UUID, filters: ManagedFilter) -> AsyncIterator[bytes]:
    """The chunks of a CSV file of any length: a header line, then the promo codes, oldest first."""
    columns = csv_export.columns_of(name for name in COLUMNS if name != "metadata")
    columns |= await metadata.columns(database, organization_id, Kind.PROMO_CODE)

    async def list_after(after: UUID | None) -> list[ManagedPromoCode]:
        async with database.unit_of_work(organization_id) as work:
            return await service.list_after(work, filters=filters, after=after)

    async for chunk in csv_export.file(columns, list_after):
        yield chunk
