"""Promo codes as a CSV file that can be imported."""

from collections.abc import AsyncIterator
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.database import Database
from tessera.promo_codes.imports.cells import COLUMNS
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter
from tessera.record_metadata import export as metadata
from tessera.record_metadata.rules import Kind


async def csv(database: Database, organization_id: UUID, filters: ManagedFilter) -> AsyncIterator[bytes]:
    """The chunks of a CSV file of any length: a header line, then the promo codes, oldest first.

    Each page has its own unit of work, so a slow reader holds neither a connection nor old row versions.
    """
    columns = csv_export.columns_of(name for name in COLUMNS if name != "metadata")
    columns |= await metadata.columns(database, organization_id, Kind.PROMO_CODE)

    yield csv_export.lines([list(columns)])
    after, has_more = None, True
    while has_more:
        async with database.unit_of_work(organization_id) as work:
            page = await service.list_with_addresses(work, filters=filters, after=after)
        yield await csv_export.page(page.items, lambda code: [read(code) for read in columns.values()])
        after, has_more = page.cursor, page.cursor is not None
