"""Commands that import and export promo codes as CSV files."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.database_sessions import OrganizationDatabase
from tessera.cli.files import DryRun, ImportedFile, Length, imported, save
from tessera.cli.lookups import catalog as lookups
from tessera.cli.options.metadata import MetadataFilter, parse_filter
from tessera.cli.options.types import Organization
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.imports import service as imports
from tessera.promo_codes.imports.presets.vendors import Vendor
from tessera.promo_codes.imports.service import Imported
from tessera.promo_codes.management import export, service
from tessera.promo_codes.management.service import EXPORT_PAGE_SIZE, ManagedFilter
from tessera.promo_codes.rules import Kind, Status

From = Annotated[
    Vendor | None,
    typer.Option("--from", help="The vendor of the export; default: Tessera.", case_sensitive=False),
]
Update = Annotated[bool, typer.Option("--update", help="Change the existing promo codes that the file names.")]
Output = Annotated[Path | None, typer.Argument(help="The file to write; - (default) is standard output.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions:
    """The filters of an export of promo codes."""

    status: Annotated[Status | None, typer.Option(help="Only promo codes with this status.")] = None
    kind: Annotated[Kind | None, typer.Option(help="Only percentages, or only flat amounts.")] = None
    store_exam_code: Annotated[str | None, typer.Option("--exam", help="Only promo codes restricted to this exam.")] = (
        None
    )
    product_bundle_id: Annotated[
        str | None, typer.Option("--bundle", help="Only promo codes restricted to this bundle, by name or id.")
    ] = None
    batch_id: Annotated[UUID | None, typer.Option("--batch", help="Only promo codes of this batch.")] = None

    campaign: Annotated[str | None, typer.Option(help="Only promo codes of this campaign.")] = None
    metadata: MetadataFilter = None

    async def managed_filter(self, work: UnitOfWork) -> ManagedFilter:
        """These options as a filter of the service; raises NotFound, Conflict."""
        bundle = self.product_bundle_id
        bundle_id = None if bundle is None else await lookups.bundle_id(work, bundle)
        parsed = {"product_bundle_id": bundle_id, "metadata": parse_filter(self.metadata)}
        return ManagedFilter(**asdict(self) | parsed)


def import_promo_codes(
    session: OrganizationSession,
    file: ImportedFile,
    *,
    vendor: From = None,
    update: Update = False,
    dry_run: DryRun = False,
) -> None:
    """Import all promo codes of a CSV file, or none. Every bad line is reported with its reasons."""
    with imported(file) as source:

        async def import_all(work: UnitOfWork) -> Imported:
            return await imports.import_file(work, source, dry_run=dry_run, update=update, vendor=vendor, now=clock())

        result = session.run(import_all)
    sentence = "Every line is valid." if dry_run else f"Imported {result.promo_codes:,} promo codes."
    fields = ("promo_codes", "changed", "is_dry_run") if update else ("promo_codes", "is_dry_run")
    session.show(sentence, fields_of(result, *fields))


def export_promo_codes(filters: FilterOptions, organization: Organization = None, file: Output = None) -> None:
    """Export promo codes as a CSV file of any length."""

    async def count(work: UnitOfWork) -> int:
        return await service.count(work, filters=await filters.managed_filter(work))

    async def content(session: OrganizationDatabase) -> AsyncIterator[bytes]:
        async with session.unit_of_work() as work:
            matching = await filters.managed_filter(work)
        async for chunk in export.csv(session.database, session.organization_id, matching):
            yield chunk

    save(organization, file, content, Length(count, EXPORT_PAGE_SIZE))
