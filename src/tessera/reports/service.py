"""Reports on redemptions and vouchers, and the roll-up of closed days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from tessera.kit.db import cursors
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.redemptions.rules import Discrepancy
from tessera.reports import rules
from tessera.reports.late.repository import LateRedemptionRepository
from tessera.reports.rebuilding.repository import RebuildRepository
from tessera.reports.repository import RedemptionReport, RedemptionSum, ReportRepository
from tessera.reports.rolling_up import repository as rolling_up
from tessera.reports.rules import Dimension, Period
from tessera.vouchers import codes
from tessera.vouchers.issued import service as issued
from tessera.vouchers.totals import service as vouchers
from tessera.vouchers.totals.service import PartnerTotals, VoucherTotals

__all__ = ["Dimension", "PartnerTotals", "Period", "RedemptionReport", "RedemptionSum", "VoucherTotals"]


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """The day before which totals were computed again, and at most a thousand that had been wrong."""

    closed_until: date
    wrong: Sequence[Discrepancy]


def report(by: Dimension, *, first: date | None, end: date | None, now: datetime) -> RedemptionReport:
    """A report, by default on the last 30 days; raises Invalid."""
    period = rules.period(first, end, now=now)
    if violations := list(rules.period_violations(period)):
        raise Invalid(violations)
    return RedemptionReport(by=by, period=period)


async def list_redemptions(
    work: UnitOfWork, report: RedemptionReport, *, reveals: bool = False, after: str | None, size: int
) -> CursorPage[RedemptionSum]:
    """A page of current sums in the order of their keys; raises Invalid for a cursor of another list.

    The codes of vouchers are masked unless it `reveals` them.
    """
    last_key = "" if after is None else cursors.decode(after, [str])[0]
    # One more sum than requested shows whether there is a next page.
    sums = await ReportRepository(work).list_sums(report, after=last_key, size=size + 1)
    items = sums[:size]
    cursor = cursors.encode([items[-1].sort_key]) if len(sums) > size else None
    if report.by is Dimension.CODE and not reveals:
        voucher_codes = await issued.filter_codes(work, [each.key for each in items])
        items = [replace(each, key=codes.mask(each.key)) if each.key in voucher_codes else each for each in items]
    return CursorPage(items, cursor)


async def list_vouchers(work: UnitOfWork, *, now: datetime, after: str | None, size: int) -> CursorPage[PartnerTotals]:
    """A page of partners with their voucher totals, oldest first; raises Invalid for a cursor of another list."""
    return await vouchers.list_by_cursor(work, today=rules.today(now), after=after, size=size)


async def sum_vouchers(work: UnitOfWork, *, now: datetime) -> VoucherTotals:
    """The voucher totals over all partners."""
    return await vouchers.sum_all(work, today=rules.today(now))


async def roll_up(work: UnitOfWork, organization_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, date]:
    """Roll up the first closed day of these organizations that is not rolled up yet; returns the day of each.

    The same transaction locks and moves the mark of an organization, so each day is rolled up once. Organizations whose
    marks others have locked, or that have no such day, are left out.
    """
    marks = await rolling_up.lock_marks(work, organization_ids)
    return await rolling_up.roll_up_first_days(work, marks, end=rules.closed_until(now))


async def include_late(work: UnitOfWork, days: Collection[date]) -> None:
    """Sum up those of these days again that are rolled up, after redemptions were added to them late.

    Roll-ups wait until this transaction ends.
    """
    mark = await ReportRepository(work).lock_mark()
    if closed_days := {day for day in days if day < mark}:
        await LateRedemptionRepository(work).sum_again(closed_days)


async def rebuild(work: UnitOfWork, *, now: datetime) -> Rebuilding:
    """Compute all totals of closed days again from the ledger; reports that run meanwhile read the old ones.

    A day that was closed too early, by a clock that was ahead, is open again.
    """
    rebuilding = RebuildRepository(work)
    mark = await ReportRepository(work).lock_mark()
    wrong = await rebuilding.list_discrepancies(mark)
    mark = min(mark, rules.closed_until(now))
    # The ledger lacks redemptions of days from which some were dropped, so that these days stay closed.
    if (last_dropped := await rebuilding.find_last_dropped()) is not None:
        mark = max(mark, last_dropped + timedelta(days=1))
    await rebuilding.replace_totals(mark)
    await rebuilding.move_mark(mark)
    return Rebuilding(mark, wrong)


async def list_discrepancies(work: UnitOfWork) -> list[Discrepancy]:
    """The first thousand sums that disagree with the ledger; call it in the snapshot of the recounted ledger."""
    mark = await ReportRepository(work).find_mark() or date.min
    return await RebuildRepository(work).list_discrepancies(mark)


async def list_unrolled(work: UnitOfWork, *, now: datetime) -> list[UUID]:
    """The organizations that have a closed day to roll up, for a unit of work pinned to the platform."""
    return await ReportRepository(work).list_unrolled(closed_until=rules.closed_until(now))
