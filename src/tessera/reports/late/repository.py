"""Statements that sum closed days up again."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.reports.repository import COUNTS, DIMENSION_KEYS, KEYS, SUMS

# A statement sums up all redemptions of its days, and has a time limit.
DAYS_AT_ONCE = 100
# All dimensions are named, because the index has the dimension before the day.
REMOVE = """
delete from redemption_totals
where organization_id = %(organization_id)s and dimension = any(%(dimensions)s::text[]) and day = any(%(days)s::date[])
"""
# The moments are parameters, because row-level security lets no function of a day use the index of the ledger. `offset`
# keeps the look-up of each day from becoming a join, for which a generic plan reads all days.
ADD = f"""
insert into redemption_totals (organization_id, dimension, key, day, redeemed, cancelled, discount)
select %(organization_id)s::uuid, dimension, key, day, {SUMS}
from (
    select keyed.dimension, keyed.key, days.day, {COUNTS}
    from unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) as days (day, starts_at, ends_at)
    cross join lateral (
        select * from redemption_ledger
        where organization_id = %(organization_id)s and redeemed_change <> 0
          and at >= days.starts_at and at < days.ends_at
        offset 0
    ) l
    cross join lateral (values {DIMENSION_KEYS}) as keyed (dimension, key)
    where keyed.key is not null
    group by 1, 2, 3
    union all
    select dimension, key, day, redeemed, cancelled, discount from dropped_totals
    where organization_id = %(organization_id)s and dimension = any(%(dimensions)s::text[])
      and day = any(%(days)s::date[])
) parts
group by dimension, key, day
returning 1
"""  # noqa: S608 - our own constants


class LateRedemptionRepository:
    """The totals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def sum_again(self, days: Collection[date]) -> None:
        """Replace the totals of these days, which are before the locked mark, by the sums of the ledger."""
        in_order = sorted(days)
        for start in range(0, len(in_order), DAYS_AT_ONCE):
            some = in_order[start : start + DAYS_AT_ONCE]
            starts = [datetime.combine(day, time(), UTC) for day in some]
            parameters: dict[str, Any] = {"organization_id": self._organization_id, "days": some, "dimensions": [*KEYS]}
            await self._connection.exec_driver_sql(REMOVE, parameters)
            moments = {"starts": starts, "ends": [start + timedelta(days=1) for start in starts]}
            await self._connection.exec_driver_sql(ADD, parameters | moments)
