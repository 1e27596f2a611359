"""Statements on what was redeemed, of one tenant: summed up for days that are over, from the ledger for the others.

What is summed up for a day is never changed, and the ledger is only ever appended to. So days before the mark are taken
from the totals and the others from the ledger, and it does no harm if the mark moves on in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.redemptions.rules import Discrepancy
from tessera.reports.rules import Dimension, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionReport:
    """Redemptions by what, and over which days."""

    by: Dimension
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionSum:
    """What was redeemed of one key; `place` is where it stands in the order of the report."""

    place: str
    key: str
    name: str | None
    redeemed: int
    cancelled: int
    discount: Decimal

    @property
    def net(self) -> int:
        """Redemptions that were not cancelled; below zero where more of earlier ones were."""
        return self.redeemed - self.cancelled


# Of an entry of the ledger: the key that it is summed up under. Rolling up and reading agree because both use these.
KEYS = {
    Dimension.DAY: "to_char(l.at at time zone 'UTC', 'YYYY-MM-DD')",
    Dimension.CODE: "l.code",
    Dimension.STORE_EXAM: "coalesce(l.store_exam_id, l.product_bundle_id)::text",
    Dimension.PARTNER: "l.partner_id::text",
}
# How a key is shown, and the name of what it stands for.
OF_EXAM = "from store_exams e where e.organization_id = %(organization_id)s and e.id = t.key::uuid"
OF_BUNDLE = "from product_bundles b where b.organization_id = %(organization_id)s and b.id = t.key::uuid"
OF_PARTNER = "from voucher_partners p where p.organization_id = %(organization_id)s and p.id = t.key::uuid"
SHOWN = {
    Dimension.DAY: "t.key as key, null as name",
    Dimension.CODE: "t.key as key, null as name",
    Dimension.STORE_EXAM: (
        f"coalesce((select e.code {OF_EXAM}), t.key) as key,"
        f" coalesce((select e.name {OF_EXAM}), (select b.name {OF_BUNDLE})) as name"
    ),
    Dimension.PARTNER: f"t.key as key, (select p.name {OF_PARTNER}) as name",
}

KEYED = ", ".join(f"('{dimension}', {key})" for dimension, key in KEYS.items())
COUNTED = """
count(*) filter (where l.redeemed_change > 0) as redeemed, count(*) filter (where l.redeemed_change < 0) as cancelled,
       sum(l.redeemed_change * l.discount) as discount
"""
SUMMED = "sum(redeemed)::bigint as redeemed, sum(cancelled)::bigint as cancelled, sum(discount) as discount"

# Few rows in the days: all of them are read, by the index that begins with the day.
ROLLED_BY_DAY = """
    days as materialized (
        select key, redeemed, cancelled, discount from redemption_totals
        where organization_id = %(organization_id)s and dimension = %(dimension)s
          and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
    ),
    rolled as (
        select key, {summed} from days where key > %(after)s group by key order by key limit {size}
    )
"""
# Many: the keys are read one after the other until there are enough. The sums are no condition that an index serves, so
# that only the index in the order of the keys does.
ROLLED_BY_KEY = """
    rolled as (
        select key, {summed} from redemption_totals
        where organization_id = %(organization_id)s and dimension = %(dimension)s and key > %(after)s
          and day + 0 >= %(first)s::date and day + 0 < least(%(end)s::date, %(mark)s::date)
        group by key order by key limit {size}
    )
"""
LIST = """
with {rolled},
    live as (
        select {key} as key, {counted} from redemption_ledger l
        where l.organization_id = %(organization_id)s and l.redeemed_change <> 0
          and l.at >= greatest(%(first)s::date, %(mark)s::date)::timestamp at time zone 'UTC'
          and l.at < %(end)s::date::timestamp at time zone 'UTC' and {key} > %(after)s
        group by 1 order by 1 limit {size}
    ),
    t as (
        select key, {summed} from (select * from rolled union all select * from live) as parts
        group by key order by key limit {size}
    )
select t.key as place, {shown}, t.redeemed, t.cancelled, t.discount from t order by t.key
"""
# Reading so many rows takes a fraction of a second; reading key by key is quicker where there are more.
FEW = 50_000
COUNT_ROLLED = f"""
select count(*) as entries from (
    select from redemption_totals
    where organization_id = %(organization_id)s and dimension = %(dimension)s
      and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
    limit {FEW + 1}
) as found
"""  # noqa: S608 - numbers of ours

ROLL_UP = f"""
insert into redemption_totals (organization_id, dimension, key, day, redeemed, cancelled, discount)
select %(organization_id)s::uuid, keyed.dimension, keyed.key, %(day)s::date, {COUNTED}
from redemption_ledger l
cross join lateral (values {KEYED}) as keyed (dimension, key)
where l.organization_id = %(organization_id)s and l.redeemed_change <> 0 and keyed.key is not null
  and l.at >= %(day)s::date::timestamp at time zone 'UTC' and l.at < (%(day)s::date + 1)::timestamp at time zone 'UTC'
group by keyed.dimension, keyed.key
"""  # noqa: S608 - texts of ours

FIND_UNROLLED_DAY = """
select (min(l.at) at time zone 'UTC')::date from redemption_ledger l
where l.organization_id = %(organization_id)s and l.redeemed_change <> 0
  and l.at >= %(mark)s::date::timestamp at time zone 'UTC' and l.at < %(end)s::date::timestamp at time zone 'UTC'
"""

# Every day that is summed up, recounted.
DISAGREEING = f"""
select 'report' as kind, concat_ws(' ', dimension, key, day) as name,
       coalesce(t.redeemed, 0) || ' redeemed, ' || coalesce(t.cancelled, 0) || ' cancelled, '
       || coalesce(t.discount, 0) || ' off' as shown,
       coalesce(c.redeemed, 0) || ' redeemed, ' || coalesce(c.cancelled, 0) || ' cancelled, '
       || coalesce(c.discount, 0) || ' off' as counted
from (
    select dimension, key, day, redeemed, cancelled, discount from redemption_totals
    where organization_id = %(organization_id)s
) t full join (
    select keyed.dimension, keyed.key, (l.at at time zone 'UTC')::date as day, {COUNTED}
    from redemption_ledger l
    cross join lateral (values {KEYED}) as keyed (dimension, key)
    where l.organization_id = %(organization_id)s and l.redeemed_change <> 0 and keyed.key is not null
      and l.at < %(mark)s::date::timestamp at time zone 'UTC'
    group by 1, 2, 3
) c using (dimension, key, day)
where (coalesce(t.redeemed, 0), coalesce(t.cancelled, 0), coalesce(t.discount, 0))
      is distinct from (coalesce(c.redeemed, 0), coalesce(c.cancelled, 0), coalesce(c.discount, 0))
order by day, dimension, key limit 1000
"""  # noqa: S608 - texts of ours


class ReportRepository:
    """The redemptions of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_sums(self, wanted: RedemptionReport, *, after: str, size: int) -> list[RedemptionSum]:
        """The first sums behind the key `after`, in the order of the keys."""
        values = {
            "dimension": wanted.by,
            "first": wanted.period.first,
            "end": wanted.period.end,
            "mark": await self.find_mark() or date.min,
            "after": after,
        }
        few = (await self._execute(COUNT_ROLLED, **values))[0].entries <= FEW
        rolled = (ROLLED_BY_DAY if few else ROLLED_BY_KEY).format(summed=SUMMED, size=size)
        key, shown = KEYS[wanted.by], SHOWN[wanted.by]
        statement = LIST.format(rolled=rolled, key=key, counted=COUNTED, summed=SUMMED, shown=shown, size=size)
        names = RedemptionSum.__dataclass_fields__
        rows = await self._execute(statement, **values)
        return [RedemptionSum(**{name: getattr(row, name) for name in names}) for row in rows]

    async def find_mark(self) -> date | None:
        """The day up to which redemptions are summed up."""
        rows = await self._execute("select rolled_until from report_marks where organization_id = %(organization_id)s")
        return rows[0].rolled_until if rows else None

    async def lock_mark(self) -> date:
        """The same, made if there was none; others who sum up wait until the end of the transaction."""
        await self._execute_only(
            "insert into report_marks (organization_id, rolled_until) values (%(organization_id)s, '0001-01-01')"
            " on conflict do nothing"
        )
        rows = await self._execute(
            "select rolled_until from report_marks where organization_id = %(organization_id)s for no key update"
        )
        mark: date = rows[0].rolled_until
        return mark

    async def find_unrolled_day(self, *, mark: date, end: date) -> date | None:
        """The first day from the mark until before `end` on which something was redeemed or cancelled."""
        rows = await self._execute(FIND_UNROLLED_DAY, mark=mark, end=end)
        day: date | None = rows[0][0]
        return day

    async def roll_up(self, day: date) -> None:
        """Sum up a day, which was not before, in every dimension."""
        await self._execute_only(ROLL_UP, day=day)

    async def move_mark(self, mark: date) -> None:
        """Note that everything before this day is summed up; the caller has locked the mark."""
        await self._execute_only(
            "update report_marks set rolled_until = %(mark)s where organization_id = %(organization_id)s", mark=mark
        )

    async def list_disagreeing(self) -> list[Discrepancy]:
        """The first thousand sums that the ledger disagrees with."""
        rows = await self._execute(DISAGREEING, mark=await self.find_mark() or date.min)
        return [Discrepancy(row.kind, row.name, row.shown, row.counted) for row in rows]

    async def list_unrolled(self, *, closed_until: date) -> list[UUID]:
        """The organizations in which there is a day to sum up; none unless the platform itself is pinned."""
        rows = await self._execute(
            "select found as id from list_unrolled_organizations(%(closed_until)s) as found", closed_until=closed_until
        )
        return [row.id for row in rows]

    async def _execute(self, statement: str, **values: object) -> Sequence[AnyRow]:
        parameters = {"organization_id": self._organization_id, **values}
        return (await self._connection.exec_driver_sql(statement, parameters)).all()

    async def _execute_only(self, statement: str, **values: object) -> None:
        await self._connection.exec_driver_sql(statement, {"organization_id": self._organization_id, **values})
