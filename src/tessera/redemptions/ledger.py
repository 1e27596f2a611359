"""The ledger of redemptions, recounted: whether everything that is shown agrees with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that shows something else than the ledger says; both as redeemed and held uses, or as a state."""

    kind: str
    name: str
    shown: str
    counted: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entries and redemptions were recounted, and the first thousand discrepancies of each kind."""

    entries: int
    redemptions: int
    discrepancies: Sequence[Discrepancy]


# One snapshot for all of it, however much is redeemed meanwhile; and whole tables are read here, for once.
PREPARE = """
set transaction isolation level repeatable read;
set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on;
set local enable_bitmapscan = on
"""

OWN_SUMS = """
    select promo_code_id, sum(redeemed_change) as redeemed, sum(held_change) as held from redemption_ledger
    where organization_id = %(organization_id)s and promo_code_owner_id = %(organization_id)s
    group by promo_code_id
"""
# Global codes are redeemed in every organization.
GLOBAL_SUMS = "select promo_code_id, redeemed, held from sum_ledger_of_global_codes()"

PROMO_CODES = """
select 'promo code' as kind, p.name, p.redemption_count || ' redeemed, ' || p.held_count || ' held' as shown,
       coalesce(l.redeemed, 0) || ' redeemed, ' || coalesce(l.held, 0) || ' held' as counted
from promo_codes p left join ({sums}) l on l.promo_code_id = p.id
where p.organization_id = %(organization_id)s and p.max_redemptions is not null
  and (p.redemption_count, p.held_count) is distinct from (coalesce(l.redeemed, 0), coalesce(l.held, 0))
order by p.name limit 1000
"""

VOUCHERS = """
select 'voucher' as kind, v.code as name,
       v.is_used::integer || ' used, ' || num_nonnulls(v.held_by) || ' held' as shown,
       coalesce(l.redeemed, 0) || ' used, ' || coalesce(l.held, 0) || ' held' as counted
from vouchers v left join (
    select voucher_id, sum(redeemed_change) as redeemed, sum(held_change) as held from redemption_ledger
    where organization_id = %(organization_id)s and voucher_id is not null
    group by voucher_id
) l on l.voucher_id = v.id
where v.organization_id = %(organization_id)s
  and (v.is_used::integer, num_nonnulls(v.held_by))
      is distinct from (coalesce(l.redeemed, 0), coalesce(l.held, 0))
order by v.code limit 1000
"""

PURCHASES = """
select 'purchase' as kind, p.code as name, p.quantity_used || ' used' as shown,
       coalesce(l.redeemed, 0) || ' used' as counted
from voucher_purchases p left join (
    select purchase_id, sum(redeemed_change) as redeemed from redemption_ledger
    where organization_id = %(organization_id)s and purchase_id is not null
    group by purchase_id
) l on l.purchase_id = p.id
where p.organization_id = %(organization_id)s and p.quantity_used is distinct from coalesce(l.redeemed, 0)
order by p.code limit 1000
"""

VOUCHER_TOTALS = """
select 'voucher total' as kind, coalesce(p.name, 'unknown') || ' ' || places.expires_on as name,
       coalesce(t.quantity, 0) || ' vouchers, ' || coalesce(t.used, 0) || ' used, '
       || coalesce(t.archived, 0) || ' archived' as shown,
       coalesce(v.quantity, 0) || ' vouchers, ' || coalesce(v.used, 0) || ' used, '
       || coalesce(v.archived, 0) || ' archived' as counted
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
) as places (partner_id, expires_on)
left join voucher_partners p on p.organization_id = %(organization_id)s and p.id = places.partner_id
where (coalesce(t.quantity, 0), coalesce(t.used, 0), coalesce(t.archived, 0))
      is distinct from (coalesce(v.quantity, 0), coalesce(v.used, 0), coalesce(v.archived, 0))
order by 2 limit 1000
"""

# The last entry tells the status, none is missing, and together they say what that status means.
REDEMPTIONS = """
select 'redemption' as kind, r.id::text as name, r.status || ' after ' || r.changes as shown,
       coalesce(l.status, 'nothing') || ' after ' || coalesce(l.entries, 0) as counted
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

TOTALS = """
select (select count(*) from redemption_ledger where organization_id = %(organization_id)s) as entries,
       (select count(*) from redemptions where organization_id = %(organization_id)s) as redemptions
"""


async def verify(work: UnitOfWork) -> Verdict:
    """Recount the organization that the unit of work is pinned to, in one snapshot; changes nothing.

    For the platform, its codes are recounted over all organizations. Must be the first thing in its transaction.
    """
    parameters: dict[str, Any] = {"organization_id": work.organization_id}
    for statement in PREPARE.split(";"):
        await work.connection.exec_driver_sql(statement)
    sums = GLOBAL_SUMS if work.organization_id == PLATFORM_ID else OWN_SUMS
    found = []
    for statement in (PROMO_CODES.format(sums=sums), VOUCHERS, PURCHASES, VOUCHER_TOTALS, REDEMPTIONS):
        rows = await work.connection.exec_driver_sql(statement, parameters)
        found += [Discrepancy(row.kind, row.name, row.shown, row.counted) for row in rows]
    totals = (await work.connection.exec_driver_sql(TOTALS, parameters)).one()
    return Verdict(totals.entries, totals.redemptions, found)
