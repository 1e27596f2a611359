"""The command that imports vouchers from elsewhere."""

from typing import Annotated

import typer

from tessera.cli.files import DryRun, ImportedFile, imported
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.voucher_imports import service as imports
from tessera.voucher_imports.service import ImportedVouchers
from tessera.vouchers.purchases.checkout.rules import Order

Partner = Annotated[str, typer.Option("--partner", help="The partner that has bought the vouchers, by name or id.")]
Program = Annotated[str, typer.Option("--program", help="The program of the vouchers, by name or id.")]


def import_vouchers(
    session: OrganizationSession, file: ImportedFile, *, partner: Partner, program: Program, dry_run: DryRun = False
) -> None:
    """Import all vouchers of a CSV file with their uses, or none.

    Every bad line is reported with its reasons.
    """
    with imported(file) as source:

        async def import_all(work: UnitOfWork) -> ImportedVouchers:
            order = Order(
                partner_id=await lookups.partner_id(work, partner), program_id=await lookups.program_id(work, program)
            )
            return await imports.import_file(work, source, order, dry_run=dry_run, now=clock())

        result = session.run(import_all)
    sentence = (
        "Every line is valid." if dry_run else f"Imported {result.vouchers:,} vouchers, {result.used:,} of them used."
    )
    session.show(sentence, fields_of(result, "vouchers", "used", "voucher_purchase_ids", "is_dry_run"))
