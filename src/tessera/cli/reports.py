"""Commands that report redemptions and vouchers."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from tessera.cli.files import save
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Output, Reveal
from tessera.cli.organization_session import OrganizationSession, fetch_all
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.reports import export, service
from tessera.reports.service import Dimension, VoucherTotals
from tessera.vouchers.revealing import service as revealing

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Csv:
    """The options of a report that can be written as a CSV file."""

    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False
    output: Output = None

    def __bool__(self) -> bool:
        return self.as_csv or self.output is not None


@commands.command("redemptions")
def report_redemptions(
    session: OrganizationSession,
    by: Annotated[Dimension, typer.Option(help="The dimension to group by.")] = Dimension.DAY,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC.")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last day, UTC.")
    ] = None,
    *,
    csv: Csv,
    reveal: Reveal = False,
) -> None:
    """Report redemptions and discounts (default: last 30 days)."""
    report = service.report(by, first=first and first.date(), end=until and until.date(), now=clock())
    reveals = reveal and by is Dimension.CODE
    if reveals:
        query = {"first": report.period.first, "end": report.period.end}
        session.run(lambda work: revealing.record(work, "report redemptions", query, None, now=clock()))
    if csv:
        save(
            session.organization,
            csv.output,
            lambda data: export.redemptions_csv(data.database, data.organization_id, report, reveals=reveals),
        )
        return
    sums = session.run(lambda work: fetch_all(partial(service.list_redemptions, work, report, reveals=reveals)))
    names = ("key", "name", "redeemed", "cancelled", "net", "discount")
    session.show_rows(
        [fields_of(row, *names, key=by) for row in sums], if_none="There were no redemptions on these days."
    )


@commands.command("rebuild")
def rebuild_reports(session: OrganizationSession) -> None:
    """Compute the totals of closed days again.

    They come from the ledger. Use it, for example, after `tessera ledger verify` has named some. Reports can be
    read meanwhile. Days that a wrong clock closed too early are opened again. `corrected` is the number of totals
    that were wrong, counted up to 1,000.
    """
    rebuilt = session.run(lambda work: service.rebuild(work, now=clock()))
    fields = {"closedUntil": rebuilt.closed_until, "corrected": len(rebuilt.wrong)}
    session.show("Computed the totals of all closed days again.", fields)


@commands.command("vouchers")
def report_vouchers(session: OrganizationSession, csv: Csv) -> None:
    """Report purchased, used and expiring vouchers by partner."""
    now = clock()
    if csv:
        save(
            session.organization,
            csv.output,
            lambda data: export.vouchers_csv(data.database, data.organization_id, now=now),
        )
        return

    async def list_rows(work: UnitOfWork) -> list[Fields]:
        partners = await fetch_all(partial(service.list_vouchers, work, now=now))
        total = await service.sum_vouchers(work, now=now)
        return [
            *(_row(str(partner.id), partner.name, partner.totals) for partner in partners),
            _row(None, "Total", total),
        ]

    session.show_rows(session.run(list_rows), if_none="")


def _row(partner_id: str | None, name: str, totals: VoucherTotals) -> Fields:
    names = ("bought", "used", "unused", "archived", "expired", "expiring_within_30_days", "expiring_within_90_days")
    return {"partnerName": name, **fields_of(totals, *names), "partnerId": partner_id}
