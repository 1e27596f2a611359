"""Commands on retention."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.retention import service
from tessera.retention.rules import FIELDS
from tessera.retention.service import Retention

commands = CommandGroup()

Period = int | None
KEEP = "; 0 keeps them"


@dataclass(frozen=True, slots=True)
class Periods:
    """The options that change periods."""

    candidates_after_days: Annotated[
        Period, typer.Option(help=f"Days after a reservation's end until its candidate is anonymised{KEEP}.")
    ] = None
    tokens_after_days: Annotated[
        Period, typer.Option(help=f"Days after their expiry until long-lived tokens are deleted{KEEP}.")
    ] = None
    audit_after_months: Annotated[
        Period, typer.Option(help=f"Months of 31 days until audit entries are dropped{KEEP}.")
    ] = None
    redemptions_after_months: Annotated[
        Period, typer.Option(help=f"Months of 31 days after their end until redemptions are dropped{KEEP}.")
    ] = None
    failed_jobs_after_days: Annotated[
        Period, typer.Option(help=f"Days after their end until failed jobs are deleted{KEEP}.")
    ] = None


@commands.command("show")
def show_retention(session: OrganizationSession) -> None:
    """Show for how long the organization keeps data."""
    _show(session, session.run(service.get))


@commands.command("set")
def set_retention(session: OrganizationSession, periods: Periods, *, yes: Yes = False) -> None:
    """Change for how long the organization keeps data. What is not named stays as it is."""
    changes = {name: period or None for name, period in asdict(periods).items() if period is not None}
    confirm("A worker removes what is older, and nothing can restore it. Change the retention?", yes=yes)

    async def change(work: UnitOfWork) -> Retention:
        return await service.replace(work, replace(await service.get(work), **changes), now=clock())

    _show(session, session.run(change))


def _show(session: OrganizationSession, retention: Retention) -> None:
    session.show("The organization keeps everything else (- is without end).", fields_of(retention, *FIELDS))
