"""Statements that recount one organization from its ledger of redemptions, and the uses that were dropped from it."""

from collections.abc import Sequence
from typing import Any

from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.redemptions.rules import Discrepancy

# Unlike other statements, a recount may scan whole tables. To the planner, the conditions of row-level security leave a
# few rows of each: a nested loop would compare every voucher with every use.
PREPARE = """
set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on;
set local enable_bitmapscan = on; set local enable_nestloop = off
"""

# The sums of the ledger by one of its columns, and the uses of redemptions that are no longer in it.
SUMS = """
    select {column}, sum(redeemed) as redeemed, sum(held) as held from (
        select {column}, redeemed_change as redeemed, held_change as held from redemption_ledger
        where organization_id = %(organization_id)s and {condition}
        union all
        select used_id, redeemed, 0 from dropped_uses
        where organization_id = %(organization_id)s and owner_id = %(organization_id)s
    ) uses
    group by {column}
"""
OWN_SUMS = SUMS.format(column="promo_code_id", condition="promo_code_owner_id = %(organization_id)s")
# Every organization can redeem global codes. Their sums come in statements of their own, because Citus would call a
# function that is joined with a table on the node of that table, which has no rows of other organizations.
LIST_GLOBAL_SUMS = """
select array_agg(promo_code_id) as ids, array_agg(redeemed) as redeemed, array_agg(held) as held
from sum_ledger_of_global_codes()
"""
GLOBAL_SUMS = """
    select promo_code_id, redeemed, held
    from unnest(%(ids)s::uuid[], %(redeemed)s::bigint[], %(held)s::bigint[]) as sums (promo_code_id, redeemed, held)
"""
LIST_SHARED = """
select array_agg(id) as shared from promo_codes
where organization_id = %(organization_id)s and max_redemptions_per_organization is not null
"""
LIST_SHARE_SUMS = """
select array_agg(promo_code_id) as shared_ids, array_agg(used_by) as users, array_agg(redeemed) as redeemed_by,
       array_agg(held) as held_by
from sum_ledger_by_organization(%(shared)s::uuid[])
"""

PROMO_CODES = """
select 'promo code' as kind, p.name, p.redemption_count || ' redeemed, ' || p.held_count || ' held' as stored,
       coalesce(l.redeemed, 0) || ' redeemed, ' || coalesce(l.held, 0) || ' held' as recounted
from promo_codes p left join ({sums}) l on l.promo_code_id = p.id
where p.organization_id = %(organization_id)s and p.max_redemptions is not null
  and (p.redemption_count, p.held_count) is distinct from (coalesce(l.redeemed, 0), coalesce(l.held, 0))
order by p.name limit 1000
"""

SHARES = """
select 'share of promo code' as kind, p.name || ' of ' || coalesce(s.used_by, l.used_by) as name,
       coalesce(s.redemption_count, 0) || ' redeemed, ' || coalesce(s.held_count, 0) || ' held' as stored,
       coalesce(l.redeemed, 0) || ' redeemed, ' || coalesce(l.held, 0) || ' held' as recounted
from (
    select promo_code_id, used_by, redemption_count, held_count from promo_code_shares
    where organization_id = %(organization_id)s
) s full join unnest(
    %(shared_ids)s::uuid[], %(users)s::uuid[], %(redeemed_by)s::bigint[], %(held_by)s::bigint[]
) as l (promo_code_id, used_by, redeemed, held) on l.promo_code_id = s.promo_code_id and l.used_by = s.used_by
join promo_codes p on p.organization_id = %(organization_id)s and p.id = coalesce(s.promo_code_id, l.promo_code_id)
where (coalesce(s.redemption_count, 0), coalesce(s.held_count, 0))
      is distinct from (coalesce(l.redeemed, 0), coalesce(l.held, 0))
order by 2 limit 1000
"""

VOUCHERS = f"""
select 'voucher' as kind, v.code as name,
       v.is_used::integer || ' used, ' || num_nonnulls(v.held_by) || ' held' as stored,
       coalesce(l.redeemed, 0) || ' used, ' || coalesce(l.held, 0) || ' held' as recounted
from vouchers v left join (
    {SUMS.format(column="voucher_id", condition="voucher_id is not null")}
) l on l.voucher_id = v.id
where v.organization_id = %(organization_id)s
  and (v.is_used::integer, num_nonnulls(v.held_by))
      is distinct from (coalesce(l.redeemed, 0), coalesce(l.held, 0))
order by v.code limit 1000
"""  # noqa: S608 - our own constants

PURCHASES = f"""
select 'purchase' as kind, p.code as name, p.quantity_used || ' used' as stored,
       coalesce(l.redeemed, 0) || ' used' as recounted
from voucher_purchases p left join (
    {SUMS.format(column="purchase_id", condition="purchase_id is not null")}
) l on l.purchase_id = p.id
where p.organization_id = %(organization_id)s and p.quantity_used is distinct from coalesce(l.redeemed, 0)
order by p.code limit 1000
"""  # noqa: S608 - our own constants

VOUCHER_TOTALS = """
select 'voucher total' as kind, coalesce(p.name, 'unknown') || ' ' || buckets.expires_on as name,
       coalesce(t.quantity, 0) || ' vouchers, ' || coalesce(t.used, 0) || ' used, '
       || coalesce(t.archived, 0) || ' archived' as stored,
       coalesce(v.quantity, 0) || ' vouchers, ' || coalesce(v.used, 0) || ' used, '
       || coalesce(v.archived, 0) || ' archived' as recounted
from (
    select partner_id, (expires_at at time zone 'UTC')::date as expires_on, count(*) as quantity,
           count(*) filter (where is_used) as used, count(*) filter (where is_archived and not is_used) as archived
    from vouchers where organization_id = %(organization_id)s
    group by 1, 2
) v full join (
    select partner_id, expires_on, quantity, used, archived from voucher_totals
    where organization_id = %(organization_id)s
) t on t.partner_id = v.partner_id and t.expires_on = v.expires_on
cross join lateral (
    values (coalesce(t.partner_id, v.partner_id), coalesce(t.expires_on, v.expires_on))
) as buckets (partner_id, expires_on)
left join voucher_partners p on p.organization_id = %(organization_id)s and p.id = buckets.partner_id
where (coalesce(t.quantity, 0), coalesce(t.used, 0), coalesce(t.archived, 0))
      is distinct from (coalesce(v.quantity, 0), coalesce(v.used, 0), coalesce(v.archived, 0))
order by 2 limit 1000
"""

# The last entry has the status, no number is missing, and the sum of the entries agrees with the status.
REDEMPTIONS = """
select 'redemption' as kind, r.id::text as name, r.status || ' after ' || r.changes as stored,
       coalesce(l.status, 'nothing') || ' after ' || coalesce(l.entries, 0) as recounted
from redemptions r left join (
    select redemption_id, count(*) as entries, max(number) as last, sum(redeemed_change) as redeemed,
           sum(held_change) as held, (array_agg(status order by number desc))[1] as status
    from redemption_ledger where organization_id = %(organization_id)s
    group by redemption_id
) l on l.redemption_id = r.id
where r.organization_id = %(organization_id)s
  and (r.status, r.changes, r.changes, (r.status = 'Redeemed')::integer, (r.status = 'Held')::integer)
      is distinct from (l.status, l.entries, l.last, l.redeemed, l.held)
order by r.id limit 1000
"""

RESERVATIONS = """
select 'reservation' as kind, b.code as name, r.discount || ' in discounts' as stored,
       r.list_price || ' at most' as recounted
from (
    select reservation_id, sum(discount) as discount, max(list_price) as list_price from redemptions
    where organization_id = %(organization_id)s
      and (status = 'Redeemed' or status = 'Held' and held_until > now())  -- a lapsed hold has no discount
    group by reservation_id
    having sum(discount) > max(list_price)
) r join reservations b on b.organization_id = %(organization_id)s and b.id = r.reservation_id
order by b.code limit 1000
"""

TOTALS = """
select (select count(*) from redemption_ledger where organization_id = %(organization_id)s) as entries,
       (select count(*) from redemptions where organization_id = %(organization_id)s) as redemptions
"""


class LedgerRepository:
    """The ledger of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._parameters: dict[str, Any] = {"organization_id": work.organization_id}

    async def prepare(self) -> None:
        """Let statements scan whole tables, until the transaction ends."""
        for statement in PREPARE.split(";"):
            await self._connection.exec_driver_sql(statement)

    async def list_discrepancies(self, *, of_global_codes: bool) -> list[Discrepancy]:
        """The first thousand discrepancies of each kind.

        The promo codes are those of the pinned organization; `of_global_codes` counts their uses in all organizations.
        """
        of_codes: tuple[str, ...] = (PROMO_CODES.format(sums=OWN_SUMS),)
        parameters = dict(self._parameters)
        if of_global_codes:
            for statement in (LIST_GLOBAL_SUMS, LIST_SHARED, LIST_SHARE_SUMS):
                (sums,) = await self._rows(statement, parameters)
                parameters.update(sums._mapping)
            of_codes = (PROMO_CODES.format(sums=GLOBAL_SUMS), SHARES)
        discrepancies = []
        for statement in (*of_codes, VOUCHERS, PURCHASES, VOUCHER_TOTALS, REDEMPTIONS, RESERVATIONS):
            rows = await self._rows(statement, parameters)
            discrepancies += [Discrepancy(row.kind, row.name, row.stored, row.recounted) for row in rows]
        return discrepancies

    async def count(self) -> tuple[int, int]:
        """The numbers of entries and of redemptions."""
        (totals,) = await self._rows(TOTALS, self._parameters)
        return totals.entries, totals.redemptions

    async def _rows(self, statement: str, parameters: dict[str, Any]) -> Sequence[AnyRow]:
        return (await self._connection.exec_driver_sql(statement, parameters)).all()
