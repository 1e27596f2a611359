"""Statements that roll up the closed days of many organizations."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.reports.repository import COUNTS, DIMENSION_KEYS

ADD_MARK = TextQuery("""
insert into report_marks (organization_id, rolled_until) values (%(organization_id)s, '0001-01-01')
on conflict do nothing returning rolled_until
""")
LOCK_MARK = TextQuery("""
select rolled_until from report_marks where organization_id = %(organization_id)s for no key update skip locked
""")
# One statement, because each counts where thousands of organizations have one day each.
ROLL_UP_FIRST_DAY = TextQuery(f"""
with first as materialized (
    select (min(l.at) at time zone 'UTC')::date as day from redemption_ledger l
    where l.organization_id = %(organization_id)s and l.redeemed_change <> 0
      and l.at >= %(mark)s::date::timestamp at time zone 'UTC' and l.at < %(end)s::date::timestamp at time zone 'UTC'
), rolled_up as (
    insert into redemption_totals (organization_id, dimension, key, day, redeemed, cancelled, discount)
    select %(organization_id)s::uuid, keyed.dimension, keyed.key, (select day from first), {COUNTS}
    from redemption_ledger l
    cross join lateral (values {DIMENSION_KEYS}) as keyed (dimension, key)
    where l.organization_id = %(organization_id)s and l.redeemed_change <> 0 and keyed.key is not null
      and l.at >= (select day from first)::timestamp at time zone 'UTC'
      and l.at < ((select day from first) + 1)::timestamp at time zone 'UTC'
    group by 2, 3
    returning day
)
update report_marks set rolled_until = (select day + 1 from first)
where organization_id = %(organization_id)s and (select day from first) is not null
returning rolled_until
""")  # noqa: S608 - our own constants


async def lock_marks(work: UnitOfWork, organization_ids: Sequence[UUID]) -> dict[UUID, date]:
    """The marks of these organizations, locked until the transaction ends, except those that others have locked."""
    values = [(each, {"organization_id": each}) for each in organization_ids]
    parts = [Part(id_, query, own) for id_, own in values for query in (ADD_MARK, LOCK_MARK)]
    marks = (await execute_parts(work, parts))[1::2]
    return {each: rows[0].rolled_until for each, rows in zip(organization_ids, marks, strict=True) if rows}


async def roll_up_first_days(work: UnitOfWork, marks: Mapping[UUID, date], *, end: date) -> dict[UUID, date]:
    """Roll up the first day of each organization from its locked mark to `end` (exclusive), and move the mark.

    Returns the days; organizations without a redemption or a cancellation since their marks have none.
    """
    parts = [
        Part(each, ROLL_UP_FIRST_DAY, {"organization_id": each, "mark": mark, "end": end})
        for each, mark in marks.items()
    ]
    moved = zip(marks, await execute_parts(work, parts), strict=True)
    return {each: rows[0].rolled_until - timedelta(days=1) for each, rows in moved if rows}
