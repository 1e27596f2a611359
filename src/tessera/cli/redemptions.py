"""The command that exports redemptions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from tessera.cli.files import Length, save
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Organization, Output
from tessera.kit.clock import clock
from tessera.redemptions import export, lifecycle
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.rules import RedemptionStatus

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of an export of redemptions."""

    code: Annotated[str | None, typer.Option(help="The promo code or voucher, in any case.")] = None
    reservation: Annotated[str | None, typer.Option(help="The reservation code.")] = None
    person: Annotated[str | None, typer.Option(help="The person id of the candidate.")] = None
    status: Annotated[RedemptionStatus | None, typer.Option(help="The current status.")] = None
    created_from: Annotated[datetime | None, typer.Option(help="The earliest creation time, UTC.")] = None
    created_before: Annotated[datetime | None, typer.Option(help="The end of the creation times, UTC (exclusive).")] = (
        None
    )

    def parse(self) -> RedemptionFilter:
        """These options as filters of the service."""
        return RedemptionFilter(
            code=self.code,
            reservation_code=self.reservation,
            person_id=self.person,
            status=self.status,
            created_from=self.created_from and self.created_from.replace(tzinfo=UTC),
            created_before=self.created_before and self.created_before.replace(tzinfo=UTC),
        )


@commands.command("export")
def export_redemptions(organization: Organization = None, output: Output = None, *, options: Filters) -> None:
    """Export redemptions as CSV, in the order of their creation."""
    filters, now = options.parse(), clock()
    length = Length(lambda work: lifecycle.count(work, filters, now=now), export.PAGE_SIZE)
    save(
        organization,
        output,
        lambda session: export.csv(session.database, session.organization_id, filters, now=now),
        length,
    )
