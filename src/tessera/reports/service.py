"""Reports: what was redeemed and given, and how many vouchers there are; and summing up days that are over."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from tessera.kit.db import cursors
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.redemptions.rules import Discrepancy
from tessera.reports import rules
from tessera.reports.repository import RedemptionReport, RedemptionSum, ReportRepository
from tessera.reports.rules import Dimension, Period
from tessera.vouchers.totals import service as vouchers
from tessera.vouchers.totals.service import PartnerTotals, VoucherTotals

__all__ = ["Dimension", "PartnerTotals", "Period", "RedemptionReport", "RedemptionSum", "VoucherTotals"]


def report(by: Dimension, *, first: date | None, end: date | None, now: datetime) -> RedemptionReport:
    """The report that is asked for, by default on the last 30 days; raises Invalid."""
    period = rules.period(first, end, now=now)
    if violations := list(rules.period_violations(period)):
        raise Invalid(violations)
    return RedemptionReport(by=by, period=period)


async def list_redemptions(
    work: UnitOfWork, wanted: RedemptionReport, *, after: str | None, size: int
) -> CursorPage[RedemptionSum]:
    """A part of the sums, in the order of their keys, up to this moment; raises Invalid for another list's cursor."""
    place = "" if after is None else cursors.decode(after, [str])[0]
    # One more tells whether there is a next part.
    found = await ReportRepository(work).list_sums(wanted, after=place, size=size + 1)
    shown = found[:size]
    return CursorPage(shown, cursors.encode([shown[-1].place]) if len(found) > size else None)


async def list_vouchers(work: UnitOfWork, *, now: datetime, after: str | None, size: int) -> CursorPage[PartnerTotals]:
    """A part of the partners with their vouchers, oldest first; raises Invalid for another list's cursor."""
    return await vouchers.list_by_cursor(work, today=_today(now), after=after, size=size)


async def sum_vouchers(work: UnitOfWork, *, now: datetime) -> VoucherTotals:
    """The vouchers of all partners together."""
    return await vouchers.sum_all(work, today=_today(now))


async def roll_up(work: UnitOfWork, *, now: datetime) -> date | None:
    """Sum up the first day that is over and was not summed up before; says which, None where there is none.

    The mark moves in the same transaction, and whoever else does this waits for it: each day is summed up once.
    """
    reports = ReportRepository(work)
    mark = await reports.lock_mark()
    day = await reports.find_unrolled_day(mark=mark, end=rules.closed_until(now))
    if day is None:
        return None
    await reports.roll_up(day)
    await reports.move_mark(day + timedelta(days=1))
    return day


async def list_disagreeing(work: UnitOfWork) -> list[Discrepancy]:
    """The first thousand sums that the ledger disagrees with; best in the snapshot in which the ledger is recounted."""
    return await ReportRepository(work).list_disagreeing()


async def list_unrolled(work: UnitOfWork, *, now: datetime) -> list[UUID]:
    """The organizations in which there is a day to sum up, for a unit of work pinned to the platform."""
    return await ReportRepository(work).list_unrolled(closed_until=rules.closed_until(now))


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()
