"""Commands on the ledger of redemptions."""

import typer

from tessera.cli.database_sessions import in_organization
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.ledger.service import Verdict
from tessera.redemptions.rules import Discrepancy
from tessera.reports import service as reports

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Keep this a group of commands, though there is one."""


@commands.command("verify")
def verify_ledger(organization: Organization, as_json: AsJson = False) -> None:
    """Recount an organization: promo codes, vouchers, purchases, redemptions and reports beside the ledger.

    Ends with status 1 where something disagrees. For the platform, global codes are recounted over all organizations.
    """
    verdict, discrepancies = in_organization(start(), organization, _verify)
    if not discrepancies:
        fields = {"redemptions": verdict.redemptions, "entries": verdict.entries, "discrepancies": 0}
        show("The ledger and every count agree.", fields, as_json=as_json)
        return
    rows = [
        {"kind": each.kind, "name": each.name, "shown": each.shown, "ledger": each.counted} for each in discrepancies
    ]
    show_rows(rows, as_json=as_json, if_none="")
    raise typer.Exit(1)


async def _verify(work: UnitOfWork) -> tuple[Verdict, list[Discrepancy]]:
    verdict = await ledger.verify(work)
    return verdict, [*verdict.discrepancies, *await reports.list_disagreeing(work)]
