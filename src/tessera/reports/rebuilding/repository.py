"""Statements that compute the totals of all closed days again, from the ledger and what was dropped from it."""

from collections.abc import Sequence
from datetime import date

from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.redemptions.rules import Discrepancy
from tessera.reports.repository import COUNTS, DIMENSION_KEYS, SUMS

# Both parts in one statement, so that no redemption is dropped between them.
RECOUNT = f"""
    select dimension, key, day, {SUMS} from (
        select keyed.dimension, keyed.key, (l.at at time zone 'UTC')::date as day, {COUNTS}
        from redemption_ledger l
        cross join lateral (values {DIMENSION_KEYS}) as keyed (dimension, key)
        where l.organization_id = %(organization_id)s and l.redeemed_change <> 0 and keyed.key is not null
          and l.at < %(mark)s::date::timestamp at time zone 'UTC'
        group by 1, 2, 3
        union all
        select dimension, key, day, redeemed, cancelled, discount from dropped_totals
        where organization_id = %(organization_id)s
    ) parts
    group by dimension, key, day
"""  # noqa: S608 - our own constants
REMOVE = "delete from redemption_totals where organization_id = %(organization_id)s"
ADD = f"""
insert into redemption_totals (organization_id, dimension, key, day, redeemed, cancelled, discount)
select %(organization_id)s::uuid, dimension, key, day, redeemed, cancelled, discount from ({RECOUNT}) recounted
returning 1
"""  # noqa: S608 - likewise
FIND_DISCREPANCIES = f"""
select 'report' as kind, concat_ws(' ', dimension, key, day) as name,
       coalesce(t.redeemed, 0) || ' redeemed, ' || coalesce(t.cancelled, 0) || ' cancelled, '
       || coalesce(t.discount, 0) || ' off' as stored,
       coalesce(c.redeemed, 0) || ' redeemed, ' || coalesce(c.cancelled, 0) || ' cancelled, '
       || coalesce(c.discount, 0) || ' off' as recounted
from (
    select dimension, key, day, redeemed, cancelled, discount from redemption_totals
    where organization_id = %(organization_id)s
) t full join ({RECOUNT}) c using (dimension, key, day)
where (coalesce(t.redeemed, 0), coalesce(t.cancelled, 0), coalesce(t.discount, 0))
      is distinct from (coalesce(c.redeemed, 0), coalesce(c.cancelled, 0), coalesce(c.discount, 0))
order by day, dimension, key limit 1000
"""  # noqa: S608 - likewise
MOVE_MARK = "update report_marks set rolled_until = %(mark)s where organization_id = %(organization_id)s"
LAST_DROPPED = """
select max(day) as day from dropped_totals where organization_id = %(organization_id)s and dimension = 'day'
"""


class RebuildRepository:
    """The totals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_last_dropped(self) -> date | None:
        """The last day of which a redemption was dropped."""
        rows = await self._execute(LAST_DROPPED)
        day: date | None = rows[0].day
        return day

    async def replace_totals(self, mark: date) -> None:
        """Replace all totals by those of the days before the locked mark."""
        values = {"organization_id": self._organization_id, "mark": mark}
        await self._connection.exec_driver_sql(REMOVE, values)
        await self._connection.exec_driver_sql(ADD, values)

    async def move_mark(self, mark: date) -> None:
        """Move the locked mark to this day."""
        await self._connection.exec_driver_sql(MOVE_MARK, {"organization_id": self._organization_id, "mark": mark})

    async def list_discrepancies(self, mark: date) -> list[Discrepancy]:
        """The first thousand totals that disagree with the ledger."""
        rows = await self._execute(FIND_DISCREPANCIES, mark=mark)
        return [Discrepancy(row.kind, row.name, row.stored, row.recounted) for row in rows]

    async def _execute(self, statement: str, **values: object) -> Sequence[AnyRow]:
        parameters = {"organization_id": self._organization_id, **values}
        return (await self._connection.exec_driver_sql(statement, parameters)).all()
