"""Commands that report: what was redeemed and given, and how many vouchers there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from tessera.cli.database_sessions import in_organization
from tessera.cli.files import save
from tessera.cli.options.types import AsJson, Organization, Output
from tessera.cli.output import show_rows
from tessera.cli.pages import fetch_all
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.reports import export, service
from tessera.reports.service import Dimension, PartnerTotals, RedemptionReport, RedemptionSum, VoucherTotals

AsCsv = Annotated[bool, typer.Option("--csv", help="Write a CSV file, of any length.")]
AT_ONCE = 1_000

commands = typer.Typer(no_args_is_help=True)


@commands.command("redemptions")
def report_redemptions(
    organization: Organization,
    by: Annotated[Dimension, typer.Option(help="By what they are summed up.")] = Dimension.DAY,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC.")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day, UTC, before which it ends.")
    ] = None,
    as_csv: AsCsv = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Report redemptions and the discount given, up to this moment; the last 30 days unless days are given."""
    days = (first and first.date(), until and until.date())
    wanted = service.report(by, first=days[0], end=days[1], now=clock())
    if as_csv or output:
        save(organization, output, lambda at: export.redemptions_csv(at.database, at.organization_id, wanted))
        return
    rows = in_organization(start(), organization, lambda work: _sums(work, wanted))
    show_rows(rows, as_json=as_json, if_none="Nothing was redeemed in these days.")


async def _sums(work: UnitOfWork, wanted: RedemptionReport) -> list[dict[str, Any]]:
    found: Sequence[RedemptionSum] = await fetch_all(
        lambda after: service.list_redemptions(work, wanted, after=after, size=AT_ONCE)
    )
    return [
        {
            wanted.by: row.key,
            "name": row.name,
            "redeemed": row.redeemed,
            "cancelled": row.cancelled,
            "net": row.net,
            "discount": row.discount,
        }
        for row in found
    ]


@commands.command("vouchers")
def report_vouchers(
    organization: Organization, as_csv: AsCsv = False, output: Output = None, as_json: AsJson = False
) -> None:
    """Report how many vouchers were bought, are used, and expire soon: by partner, and in total at the end."""
    now = clock()
    if as_csv or output:
        save(organization, output, lambda at: export.vouchers_csv(at.database, at.organization_id, now=now))
        return
    rows = in_organization(start(), organization, lambda work: _vouchers(work, now=now))
    show_rows(rows, as_json=as_json, if_none="")


async def _vouchers(work: UnitOfWork, *, now: datetime) -> list[dict[str, Any]]:
    found: Sequence[PartnerTotals] = await fetch_all(
        lambda after: service.list_vouchers(work, now=now, after=after, size=AT_ONCE)
    )
    rows = [_row(str(each.id), each.name, each.totals) for each in found]
    return [*rows, _row(None, "Total", await service.sum_vouchers(work, now=now))]


def _row(partner_id: str | None, name: str, totals: VoucherTotals) -> dict[str, Any]:
    return {
        "partnerId": partner_id,
        "partnerName": name,
        "bought": totals.bought,
        "used": totals.used,
        "unused": totals.unused,
        "archived": totals.archived,
        "expired": totals.expired,
        "expiringWithin30Days": totals.expiring_within_30_days,
        "expiringWithin90Days": totals.expiring_within_90_days,
    }
