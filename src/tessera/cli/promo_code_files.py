"""Commands that bring promo codes in and out as CSV files."""

import hashlib
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.database_sessions import in_organization
from tessera.cli.files import Length, save
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import show
from tessera.cli.progress import bar
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.imports import service as imports
from tessera.promo_codes.imports.service import Source
from tessera.promo_codes.management import export, service
from tessera.promo_codes.management.service import EXPORTED_AT_ONCE, ManagedFilter
from tessera.promo_codes.rules import Kind, Status

File = Annotated[
    Path,
    typer.Argument(help="A CSV file whose first line names its columns.", exists=True, dir_okay=False, readable=True),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only look for bad lines.")]
Output = Annotated[Path | None, typer.Argument(help="Where to put it; standard output unless given.", dir_okay=False)]


def import_promo_codes(
    organization: Organization, file: File, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Import all promo codes of a CSV file, or none: every bad line is named with its reasons."""
    with file.open("rb") as content, bar("Reading", length=file.stat().st_size) as reach:
        source = Source(content, hashlib.file_digest(content, "sha256").hexdigest())
        content.seek(0)

        async def bring(work: UnitOfWork) -> int:
            return await imports.import_file(work, source, dry_run=dry_run, now=clock(), on_progress=reach)

        count = in_organization(start(), organization, bring)
    done = "Every line is good." if dry_run else f"Imported {count:,} promo codes."
    show(done, {"promoCodes": count, "isDryRun": dry_run}, as_json=as_json)


def export_promo_codes(
    organization: Organization,
    file: Output = None,
    status: Annotated[Status | None, typer.Option(help="Those of this status.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Percentages, or flat amounts.")] = None,
    exam: Annotated[str | None, typer.Option(help="Those that name this exam.")] = None,
    bundle: Annotated[UUID | None, typer.Option(help="Those that name this bundle.")] = None,
    batch: Annotated[UUID | None, typer.Option(help="Those of this batch.")] = None,
) -> None:
    """Export promo codes as a CSV file, of any length."""
    filters = ManagedFilter(status=status, kind=kind, store_exam_code=exam, product_bundle_id=bundle, batch_id=batch)
    length = Length(lambda work: service.count(work, filters=filters), EXPORTED_AT_ONCE)
    save(organization, file, lambda at: export.csv(at.database, at.organization_id, filters), length)
