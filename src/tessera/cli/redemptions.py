"""Commands on redemptions."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tessera.cli.files import Length, save
from tessera.cli.options.types import Organization, Output
from tessera.kit.clock import clock
from tessera.redemptions import export, lifecycle
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.rules import RedemptionStatus

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Keep this a group of commands, though there is one."""


@commands.command("export")
def export_redemptions(
    organization: Organization,
    output: Output = None,
    code: Annotated[str | None, typer.Option(help="Of this promo code or voucher, in any case.")] = None,
    reservation: Annotated[str | None, typer.Option(help="Of this reservation.")] = None,
    person: Annotated[str | None, typer.Option(help="Of this candidate.")] = None,
    status: Annotated[RedemptionStatus | None, typer.Option(help="In this status now.")] = None,
    created_from: Annotated[datetime | None, typer.Option(help="Made at this time (UTC) or later.")] = None,
    created_before: Annotated[datetime | None, typer.Option(help="Made before this time (UTC).")] = None,
) -> None:
    """Export redemptions in order of creation as a CSV file, of any length."""
    wanted = RedemptionFilter(
        code=code,
        reservation_code=reservation,
        person_id=person,
        status=status,
        created_from=created_from and created_from.replace(tzinfo=UTC),
        created_before=created_before and created_before.replace(tzinfo=UTC),
    )
    now = clock()
    length = Length(lambda work: lifecycle.count(work, wanted, now=now), export.PAGE_SIZE)
    save(organization, output, lambda at: export.csv(at.database, at.organization_id, wanted, now=now), length)
