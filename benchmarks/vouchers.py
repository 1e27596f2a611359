"""An organization with a growing number of vouchers, 10,000 of which are unused."""

import psycopg

from benchmarks.data import Shop
from tessera.kit.identifiers import new_id

UNUSED = 10_000  # the maximum length of a list

MARKET = """
insert into voucher_partners (organization_id, id, name, status, created_at, version)
values (%(organization)s, %(partner)s, 'Partner', 'Active', now(), 1);
insert into voucher_programs (organization_id, id, name, status, allow_ach_payments, expiration_period_in_days,
    can_assigned_partners_purchase_zero_price, is_available_to_all_partners, partner_cost_per_voucher,
    enforce_assigned_email, voucher_code_prefix, created_at, version)
values (%(organization)s, %(program)s, 'Program', 'Active', false, 365, true, true, 0, false, 'PROGRAM-', now(), 1);
"""
PURCHASES = """
insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
    amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_at, amount,
    version)
select %(organization)s, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, %(partner)s, %(program)s,
       'VP-' || n, 'Complete', 1000, 0, 0, 'Benchmark', false, 'Certiverse', 'API', now(), 0, 1
from generate_series(%(first)s / 1000, (%(last)s - 1) / 1000) n
"""
# The first 10,000 vouchers are assigned and unused, and all others are used. Ids are in the order of creation.
VOUCHERS = """
insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, is_archived,
    expires_at, version,
    assigned_at, recipient_email, reservation_code, reservation_status, store_exam_id, used_at, used_by_person_id,
    used_by_client_candidate_id, used_by_first_name, used_by_last_name)
select %(organization)s, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       ('00000000-0000-7000-8000-' || lpad(to_hex(n / 1000), 12, '0'))::uuid, %(partner)s, 'CODE-' || n,
       not is_unused, false, now() + interval '1 year', 1,
       case when is_unused then now() end, case when is_unused then 'team@example.com' end,
       case when not is_unused then 'RSV-' || n end, case when not is_unused then 'Completed' end,
       case when not is_unused then %(exam)s::uuid end, case when not is_unused then now() end,
       case when not is_unused then 'P' end, case when not is_unused then 'C' end,
       case when not is_unused then 'Ada' end, case when not is_unused then 'Byron' end
from (select n, n < %(unused)s as is_unused from generate_series(%(first)s, %(last)s - 1) n) numbered
"""
INDEXES = """
select indexname, indexdef from pg_indexes
where tablename = 'vouchers' and (indexname like '%_index' or indexname like '%_key')
"""


class Market:
    """The partner, the program and the vouchers of one organization."""

    def __init__(self, connection: psycopg.Connection, shop: Shop) -> None:
        self._connection = connection
        self._parameters = {
            "organization": shop.organization_id,
            "exam": shop.exam_id,
            "unused": UNUSED,
            "partner": new_id(),
            "program": new_id(),
        }
        self.size = 0
        for statement in MARKET.strip().split(";\n"):
            connection.execute(statement, self._parameters)

    def grow(self, size: int) -> None:
        """Add vouchers up to `size`. For large sizes, the indexes are dropped first and created again at the end."""
        run = self._connection.execute
        run("set session_replication_role = replica")  # no checks of foreign keys, which the rows satisfy
        indexes = run(INDEXES).fetchall() if size >= 10 * UNUSED else []
        for name, _ in indexes:
            run(f"alter table vouchers drop constraint {name}" if name.endswith("_key") else f"drop index {name}")
        parameters = self._parameters | {"first": self.size, "last": size}
        run(PURCHASES, parameters)
        run(VOUCHERS, parameters)
        for name, definition in indexes:
            run(definition)
            if name.endswith("_key"):
                run(f"alter table vouchers add constraint {name} unique using index {name}")
        run("set session_replication_role = origin")
        run("vacuum analyze vouchers, voucher_purchases")
        self.size = size
