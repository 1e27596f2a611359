"""Statements on the redemptions of one tenant: rolled-up totals of closed days, and the ledger for later days.

The mark separates them: days before it are read from the totals, and later days from the ledger. The totals of a day
do not change, and the ledger only grows, so sums stay the same if the mark moves between two statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.reports.rules import Dimension, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionReport:
    """A report on redemptions: its dimension and its days."""

    by: Dimension
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionSum:
    """The sums of one key of a report; the sums are in the order of `sort_key`."""

    sort_key: str
    key: str
    name: str | None
    redeemed: int
    cancelled: int
    discount: Decimal

    @property
    def net(self) -> int:
        """Redemptions minus cancellations; a cancelled redemption may be earlier than the period."""
        return self.redeemed - self.cancelled


# A dimension of totals without a report: the uses of global codes, which totals by code do not tell from those of an
# own code with the same name.
GLOBAL_CODE = "globalCode"
# The key of a ledger entry in each dimension, used both to roll up and to read, so that the two agree.
KEYS: dict[str, str] = {
    Dimension.DAY: "to_char(l.at at time zone 'UTC', 'YYYY-MM-DD')",
    Dimension.CODE: "l.code",
    Dimension.STORE_EXAM: "coalesce(l.store_exam_id, l.product_bundle_id)::text",
    Dimension.PARTNER: "l.partner_id::text",
    GLOBAL_CODE: "case when l.promo_code_owner_id <> l.organization_id then l.code end",
}
# The key that a report shows, and the name of its exam, bundle or partner.
OF_EXAM = "from store_exams e where e.organization_id = %(organization_id)s and e.id = t.key::uuid"
OF_BUNDLE = "from product_bundles b where b.organization_id = %(organization_id)s and b.id = t.key::uuid"
OF_PARTNER = "from voucher_partners p where p.organization_id = %(organization_id)s and p.id = t.key::uuid"
LABELS = {
    Dimension.DAY: "t.key as key, null as name",
    Dimension.CODE: "t.key as key, null as name",
    Dimension.STORE_EXAM: (
        f"coalesce((select e.code {OF_EXAM}), t.key) as key,"
        f" coalesce((select e.name {OF_EXAM}), (select b.name {OF_BUNDLE})) as name"
    ),
    Dimension.PARTNER: f"t.key as key, (select p.name {OF_PARTNER}) as name",
}

DIMENSION_KEYS = ", ".join(f"('{dimension}', {key})" for dimension, key in KEYS.items())
COUNTS = """
count(*) filter (where l.redeemed_change > 0) as redeemed, count(*) filter (where l.redeemed_change < 0) as cancelled,
       sum(l.redeemed_change * l.discount) as discount
"""
SUMS = "sum(redeemed)::bigint as redeemed, sum(cancelled)::bigint as cancelled, sum(discount) as discount"

# For few rows: reads all of them from the index that starts with the day.
ROLLED_BY_DAY = """
    days as materialized (
        select key, redeemed, cancelled, discount from redemption_totals
        where organization_id = %(organization_id)s and dimension = %(dimension)s
          and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
    ),
    rolled as (
        select key, {sums} from days where key > %(after)s group by key order by key limit {size}
    )
"""
# For many rows: reads key after key until the page is full. `day + 0` keeps the planner from the index that starts with
# the day.
ROLLED_BY_KEY = """
    rolled as (
        select key, {sums} from redemption_totals
        where organization_id = %(organization_id)s and dimension = %(dimension)s and key > %(after)s
          and day + 0 >= %(first)s::date and day + 0 < least(%(end)s::date, %(mark)s::date)
        group by key order by key limit {size}
    )
"""
LIST = """
with {rolled_up},
    live as (
        select {key} as key, {counts} from redemption_ledger l
        where l.organization_id = %(organization_id)s and l.redeemed_change <> 0
          and l.at >= greatest(%(first)s::date, %(mark)s::date)::timestamp at time zone 'UTC'
          and l.at < %(end)s::date::timestamp at time zone 'UTC' and {key} > %(after)s
        group by 1 order by 1 limit {size}
    ),
    t as (
        select key, {sums} from (select * from rolled union all select * from live) as parts
        group by key order by key limit {size}
    )
select t.key as sort_key, {labels}, t.redeemed, t.cancelled, t.discount from t order by t.key
"""
# Up to this number of rows, reading all of them takes a fraction of a second; beyond it, reading by key is faster.
MAX_ROWS_BY_DAY = 50_000
COUNT_ROLLED = f"""
select count(*) as entries from (
    select from redemption_totals
    where organization_id = %(organization_id)s and dimension = %(dimension)s
      and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
    limit {MAX_ROWS_BY_DAY + 1}
) as counted
"""  # noqa: S608 - our own constants

# Campaigns are not rolled up, because a code can get another one at any time: the sums of codes are grouped instead.
# Few rows are read first, and each is joined with its code; for many rows, each code of a campaign is looked up. The
# uses of global codes with the same names are subtracted: those from before an own code was created, and their later
# cancellations.
SIGN = f"case dimension when '{GLOBAL_CODE}' then -1 else 1 end"
OWN_USES = f"redeemed * {SIGN} as redeemed, cancelled * {SIGN} as cancelled, discount * {SIGN} as discount"
CAMPAIGNS_BY_DAY = f"""
    days as materialized (
        select lower(key collate "C") collate "default" as name_key, {OWN_USES}
        from redemption_totals
        where organization_id = %(organization_id)s and dimension in ('code', '{GLOBAL_CODE}')
          and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
    ),
    rolled as (
        select c.campaign_key, c.campaign, days.redeemed, days.cancelled, days.discount
        from days cross join lateral (
            select p.campaign_key, p.campaign from promo_codes p
            where p.organization_id = %(organization_id)s and p.name_key = days.name_key
            limit 1
        ) c
        where c.campaign_key > %(after)s
    )
"""  # noqa: S608 - our own constants
CAMPAIGNS_BY_KEY = f"""
    rolled as (
        select p.campaign_key, p.campaign, t.redeemed, t.cancelled, t.discount
        from promo_codes p cross join lateral (
            select {SUMS} from (
                select {OWN_USES} from redemption_totals
                where organization_id = %(organization_id)s and dimension in ('code', '{GLOBAL_CODE}') and key = p.name
                  and day >= %(first)s::date and day < least(%(end)s::date, %(mark)s::date)
            ) own
        ) t
        where p.organization_id = %(organization_id)s and p.campaign_key > %(after)s and t.discount is not null
    )
"""  # noqa: S608 - likewise
LIST_CAMPAIGNS = """
with {rolled_up},
    codes_since as materialized (
        select l.promo_code_id, {counts} from redemption_ledger l
        where l.organization_id = %(organization_id)s and l.redeemed_change <> 0
          and l.promo_code_owner_id = %(organization_id)s
          and l.at >= greatest(%(first)s::date, %(mark)s::date)::timestamp at time zone 'UTC'
          and l.at < %(end)s::date::timestamp at time zone 'UTC'
        group by l.promo_code_id
    ),
    live as (
        select c.campaign_key, c.campaign, s.redeemed, s.cancelled, s.discount
        from codes_since s cross join lateral (
            select p.campaign_key, p.campaign from promo_codes p
            where p.organization_id = %(organization_id)s and p.id = s.promo_code_id
            limit 1
        ) c
        where c.campaign_key > %(after)s
    )
select campaign_key as sort_key, min(campaign) as key, null as name, {sums}
from (select * from rolled union all select * from live) as parts
group by campaign_key having sum(redeemed) + sum(cancelled) > 0
order by campaign_key limit {size}
"""


class ReportRepository:
    """The redemptions of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_sums(self, report: RedemptionReport, *, after: str, size: int) -> list[RedemptionSum]:
        """The first sums after the key `after`, in the order of the keys."""
        is_by_campaign = report.by is Dimension.CAMPAIGN
        values = {
            "dimension": Dimension.CODE if is_by_campaign else report.by,
            "first": report.period.first,
            "end": report.period.end,
            "mark": await self.find_mark() or date.min,
            "after": after,
        }
        has_few_rows = (await self._execute(COUNT_ROLLED, **values))[0].entries <= MAX_ROWS_BY_DAY
        if is_by_campaign:
            rolled_up = CAMPAIGNS_BY_DAY if has_few_rows else CAMPAIGNS_BY_KEY
            statement = LIST_CAMPAIGNS.format(rolled_up=rolled_up, counts=COUNTS, sums=SUMS, size=size)
        else:
            rolled_up = (ROLLED_BY_DAY if has_few_rows else ROLLED_BY_KEY).format(sums=SUMS, size=size)
            key, labels = KEYS[report.by], LABELS[report.by]
            statement = LIST.format(rolled_up=rolled_up, key=key, counts=COUNTS, sums=SUMS, labels=labels, size=size)
        return [record_of(RedemptionSum, row) for row in await self._execute(statement, **values)]

    async def find_mark(self) -> date | None:
        """The day before which redemptions are rolled up."""
        rows = await self._execute("select rolled_until from report_marks where organization_id = %(organization_id)s")
        return rows[0].rolled_until if rows else None

    async def lock_mark(self) -> date:
        """The mark, locked until the transaction ends; a missing mark is added."""
        await self._execute_only(
            "insert into report_marks (organization_id, rolled_until) values (%(organization_id)s, '0001-01-01')"
            " on conflict do nothing"
        )
        rows = await self._execute(
            "select rolled_until from report_marks where organization_id = %(organization_id)s for no key update"
        )
        mark: date = rows[0].rolled_until
        return mark

    async def list_unrolled(self, *, closed_until: date) -> list[UUID]:
        """The organizations that have a closed day to roll up; none unless the platform itself is pinned."""
        rows = await self._execute(
            "select id from list_organizations_to_roll_up(%(closed_until)s) as id", closed_until=closed_until
        )
        return [row.id for row in rows]

    async def _execute(self, statement: str, **values: object) -> Sequence[AnyRow]:
        parameters = {"organization_id": self._organization_id, **values}
        return (await self._connection.exec_driver_sql(statement, parameters)).all()

    async def _execute_only(self, statement: str, **values: object) -> None:
        await self._connection.exec_driver_sql(statement, {"organization_id": self._organization_id, **values})
