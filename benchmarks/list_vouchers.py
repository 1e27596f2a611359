"""GET /api/vouchers while one organization grows to 10,000,000: `python -m benchmarks.list_vouchers`.

The same 10,000 vouchers match each filter at every size, so pages 1 and 100 can be compared.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from uuid import UUID

import httpx
import psycopg

from benchmarks import data
from benchmarks.servers import serving
from tessera.identity import service as identity
from tessera.identity.rules import FunctionPoint
from tessera.kit.database import Database
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner

QUICK = bool(os.environ.get("QUICK"))
SIZES = (10_000, 100_000) if QUICK else (10_000, 1_000_000, 10_000_000)
NEIGHBOURS = 100
TRIES = 30
NOTABLE = 10_000
KEYS = {"benchmark": "benchmark-0123456789-abcdefghijklmnop"}

FILTERS = (
    ("isUsed=true, page 1", "isUsed=true", 200),
    ("isUsed=true, page 100", "isUsed=true&page=100", 200),
    ("isActive=false, page 1", "isActive=false", 200),
    ("isActive=false, page 100", "isActive=false&page=100", 200),
    ("recipientEmail, page 1", "recipientEmail=team@example.com", 200),
    ("recipientEmail, page 100", "recipientEmail=team@example.com&page=100", 200),
    ("storeExamCode, page 1", "storeExamCode=NOTABLE", 200),
    ("storeExamCode, page 100", "storeExamCode=NOTABLE&page=100", 200),
    ("reservationCode, page 1", "reservationCode=RSV-1", 200),
    ("reservationCode, page 100", "reservationCode=RSV-1&page=100", 200),
    ("purchaseCode, page 1", "purchaseCode=VP-1", 200),
    ("purchaseCode, page 10", "purchaseCode=VP-1&page=10", 200),
    ("voucherCode", "voucherCode=CODE-77", 200),
    ("refusal (isUsed=false)", "isUsed=false", 422),
)

MARKET = """
insert into voucher_partners (organization_id, id, name, status, created_at, version)
values (%(organization)s, %(partner)s, 'Partner', 'Active', now(), 1);
insert into voucher_programs (organization_id, id, name, status, allow_ach_payments, expiration_period_in_days,
    can_assigned_partners_purchase_zero_price, is_available_to_all_partners, partner_cost_per_voucher,
    enforce_assigned_email, voucher_code_prefix, created_at, version)
values (%(organization)s, %(program)s, 'Program', 'Active', false, 365, true, true, 0, false, 'CODE-', now(), 1);
insert into store_exams (organization_id, id, code, name, price, status, created_at, version)
values (%(organization)s, %(exam)s, 'NOTABLE', 'Notable', 1, 'Active', now(), 1),
       (%(organization)s, %(other_exam)s, 'OTHER', 'Other', 1, 'Active', now(), 1)
"""
PURCHASES = """
insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
    amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_at, amount, version)
select %(organization)s, md5(%(organization)s::text || 'purchase' || n)::uuid, %(partner)s, %(program)s, 'VP-' || n,
       'Complete', 1000, 0, 0, 'Benchmark', false, 'Certiverse', 'API', now(), 0, 1
from generate_series(%(first)s / 1000 + 1, %(last)s / 1000) n
"""
# Ids rise as creation does; md5 gives the rest.
VOUCHERS = """
insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, expires_at, assigned_at,
    recipient_email, reservation_code, reservation_status, store_exam_id, used_at, used_by_person_id,
    used_by_client_candidate_id, used_by_first_name, used_by_last_name, is_archived, version)
select %(organization)s, (lpad(to_hex(n), 12, '0') || substr(md5(%(organization)s::text || n), 13))::uuid,
       md5(%(organization)s::text || 'purchase' || (n / 1000 + 1))::uuid, %(partner)s, 'CODE-' || n,
       n >= %(notable)s, now() + interval '1 year',
       case when n < %(notable)s or n %% 3 = 0 then now() end,
       case when n < %(notable)s then 'team@example.com' when n %% 3 = 0 then 'someone' || n || '@example.com' end,
       case when n < %(notable)s then 'RSV-1' end, case when n < %(notable)s then 'Created' end,
       case when n < %(notable)s then %(exam)s::uuid when n %% 3 = 0 then %(other_exam)s::uuid end,
       case when n < %(notable)s then now() end, case when n < %(notable)s then 'P-' || n end,
       case when n < %(notable)s then 'C-' || n end, case when n < %(notable)s then 'Ada' end,
       case when n < %(notable)s then 'Byron' end, false, 1
from generate_series(%(first)s, %(last)s - 1) n
"""


class Grown:
    """One organization whose vouchers become more; it is loaded without its indexes, which are built again after."""

    def __init__(self, connection: psycopg.Connection, organization_id: UUID) -> None:
        self._connection = connection
        self._ids = {name: new_id() for name in ("partner", "program", "exam", "other_exam")}
        self._parameters = {"organization": organization_id, "notable": NOTABLE, **self._ids}
        self.size = 0
        for statement in MARKET.split(";\n"):
            connection.execute(statement, self._parameters)

    def grow(self, size: int) -> None:
        """Add vouchers until there are `size`."""
        parameters = self._parameters | {"first": self.size, "last": size}
        self._connection.execute(PURCHASES, parameters)
        self._connection.execute(VOUCHERS, parameters)
        self.size = size


def grow_without_indexes(connection: psycopg.Connection, grown: Grown, size: int) -> None:
    """Grow with the table's secondary indexes and foreign keys out of the way."""
    found = connection.execute(
        "select indexname, indexdef from pg_indexes where tablename = 'vouchers' and indexname like '%_index'"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"drop index {name}")
    grown.grow(size)
    for _, definition in found:
        connection.execute(definition)
    connection.execute("vacuum analyze vouchers")
    connection.execute("vacuum analyze voucher_purchases")


async def issue_token(application_url: str, organization_id: UUID) -> str:
    """A Bearer token for a new user of the organization."""
    database, now = Database(application_url, pool_size=1), datetime.now(UTC)
    async with database.unit_of_work(organization_id) as work:
        points = [FunctionPoint.PARTNER_MANAGE_VOUCHERS]
        await identity.create_user(work, email="a@example.com", names=("A", "B"), function_points=points, now=now)
        issued = await identity.issue_token(
            work, signer=TokenSigner(KEYS), email="a@example.com", lifetime=timedelta(days=1), now=now
        )
    await database.close()
    return issued.secret


def measure(client: httpx.Client, query: str, status: int) -> tuple[float, float]:
    """p50 and p95 of one request after the other, in milliseconds."""
    taken = []
    for _ in range(TRIES + 3):
        began = time.perf_counter()
        answer = client.get(f"/api/vouchers?{query}")
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == status, answer.text
        assert status != 200 or answer.json()["data"], query
    return median(taken[3:]), quantiles(taken[3:], n=20)[-1]


def main() -> None:
    """Grow, measure, print."""
    import asyncio  # noqa: PLC0415 - for one call

    with data.database(maintenance_work_mem="1GB", max_wal_size="8GB") as addresses:
        storefronts = data.load_promo_codes(addresses, organizations=NEIGHBOURS + 1, codes=1)
        organization_id = storefronts[0].organization_id
        token = asyncio.run(issue_token(addresses.application, organization_id))
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in FILTERS}
        with data.connect(addresses) as connection:
            connection.execute("set session_replication_role = replica")  # foreign keys hold by construction
            for storefront in storefronts[1:]:
                Grown(connection, storefront.organization_id).grow(2_000)
            grown = Grown(connection, organization_id)
            environment = {"APPLICATION_URL": addresses.application}
            for size in SIZES:
                grow_without_indexes(connection, grown, size)
                with serving("Tessera", "benchmarks.applications:tessera", environment) as server:
                    base = f"http://127.0.0.1:{server.port}"
                    headers = {"Authorization": f"Bearer {token}"}
                    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
                        for name, query, status in FILTERS:
                            if status == 422 and size <= NOTABLE:
                                continue
                            rows[name].append(measure(client, query, status))
        report(rows)


def report(rows: dict[str, list[tuple[float, float]]]) -> None:
    """Print p50 and p95 for each filter and size, and the ratio of the largest size to the smallest."""
    print(f"\nGET /api/vouchers, milliseconds (p50 / p95), {NEIGHBOURS} other organizations beside\n")
    print(f"{'':28}" + "".join(f"{size:>18,}" for size in SIZES) + f"{'ratio of p50':>14}")
    for name, figures in rows.items():
        cells = [f"{p50:.1f} / {p95:.1f}" for p50, p95 in figures]
        padded = [""] * (len(SIZES) - len(cells)) + cells
        print(f"{name:28}" + "".join(f"{cell:>18}" for cell in padded) + f"{figures[-1][0] / figures[0][0]:>14.2f}")


if __name__ == "__main__":
    main()
