"""The command that verifies the ledger of redemptions."""

import typer

from tessera.cli.options.expansion import CommandGroup
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.kit.db.database import Access
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.ledger.service import Verdict
from tessera.redemptions.rules import Discrepancy
from tessera.reports import service as reports

commands = CommandGroup()


@commands.command("verify")
def verify_ledger(session: OrganizationSession) -> None:
    """Verify all counts of an organization against the ledger.

    Recounts promo codes, vouchers, purchases, redemptions and reports, and exits with status 1 if a count disagrees.
    For the platform, recounts global codes over all organizations.
    """
    verdict, discrepancies = session.run(_verify, access=Access.SNAPSHOT)
    if discrepancies:
        names = ("kind", "name", "stored", "recounted")
        session.show_rows(
            [fields_of(each, *names, stored="shown", recounted="ledger") for each in discrepancies], if_none=""
        )
        raise typer.Exit(1)
    fields = fields_of(verdict, "redemptions", "entries") | {"discrepancies": 0}
    session.show("The ledger and every count agree.", fields)


async def _verify(work: UnitOfWork) -> tuple[Verdict, list[Discrepancy]]:
    verdict = await ledger.verify(work)
    return verdict, [*verdict.discrepancies, *await reports.list_discrepancies(work)]
