"""Reports over 10,000,000 entries of the ledger, and exports of 1,000,000 redemptions: `python -m benchmarks.report`.

Half of the entries belong to 200,000 promo codes, and the other half to vouchers with one code each. They are spread
over a year. First, the service of the job rolls up all closed days, which is also measured.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from statistics import median, quantiles
from uuid import UUID

import httpx
import psycopg

from benchmarks import data
from benchmarks.servers import Server, serving
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses
from tessera.reports import service as reports

QUICK = bool(os.environ.get("QUICK"))
ENTRIES = 100_000 if QUICK else 10_000_000
PROMO_CODES = 2_000 if QUICK else 200_000
REDEMPTIONS = 20_000 if QUICK else 1_000_000
NEIGHBOURS = 20
EXAMS, PARTNERS = 500, 200
DAYS = 365
TRIES = 20
KEYS = {"benchmark": "benchmark-0123456789-abcdefghijklmnop"}

CATALOG = """
insert into store_exams (organization_id, id, code, name, price, status, created_at, version)
select %(organization)s, md5(%(organization)s::text || 'exam' || n)::uuid, 'EXAM-' || n, 'Exam ' || n, 100, 'Active',
       now(), 1
from generate_series(0, %(exams)s - 1) n;
insert into voucher_partners (organization_id, id, name, status, created_at, version)
select %(organization)s, md5(%(organization)s::text || 'partner' || n)::uuid, 'Partner ' || n, 'Active', now(), 1
from generate_series(0, %(partners)s - 1) n;
insert into voucher_totals (organization_id, partner_id, expires_on, quantity, used, archived)
select %(organization)s, md5(%(organization)s::text || 'partner' || n)::uuid, current_date + d,
       %(entries)s / %(partners)s / 700, %(entries)s / %(partners)s / 1400, 0
from generate_series(0, %(partners)s - 1) n, generate_series(-335, 364) d
"""
# In order of time, as in production. Every twentieth entry is a cancellation.
LEDGER = """
insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change, held_change,
    promo_code_owner_id, promo_code_id, voucher_id, purchase_id, partner_id, code, store_exam_id, discount, at)
select %(organization)s, (lpad(to_hex(n), 12, '0') || substr(md5(%(organization)s::text || n), 13))::uuid,
       1 + (n %% 20 = 0)::integer, case when n %% 20 = 0 then 'Cancelled' else 'Redeemed' end,
       case when n %% 20 = 0 then -1 else 1 end, 0,
       case when n %% 2 = 0 then %(organization)s::uuid end,
       case when n %% 2 = 0 then md5('code' || n * 7919::bigint %% %(codes)s)::uuid end,
       case when n %% 2 = 1 then md5('voucher' || n)::uuid end,
       case when n %% 2 = 1 then md5('purchase' || n / 1000)::uuid end,
       case when n %% 2 = 1 then md5(%(organization)s::text || 'partner' || n / 7 %% %(partners)s)::uuid end,
       case when n %% 2 = 1 then 'V-' || substr(md5('v' || n), 1, 10)
            else 'CODE' || n * 7919::bigint %% %(codes)s end,
       md5(%(organization)s::text || 'exam' || n * 31::bigint %% %(exams)s)::uuid, 10 + n %% 9,
       now() - interval '1 day' * (%(days)s * (1 - n::float / %(entries)s))
from generate_series(1, %(entries)s) n
"""
REDEMPTIONS_OF_EXPORT = """
insert into reservations (organization_id, id, code, status, created_at, updated_at)
select %(organization)s, md5('reservation' || n)::uuid, 'RSV-' || n, 'Created', now(), now()
from generate_series(1, %(redemptions)s) n;
insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id,
    person_id, client_candidate_id, first_name, last_name, email, list_price, discount, status, changes, created_at,
    updated_at)
select %(organization)s, (lpad(to_hex(n), 12, '0') || substr(md5(n::text), 13))::uuid, md5('reservation' || n)::uuid,
       'CODE' || n %% 1000, %(organization)s, md5('code' || n %% 1000)::uuid,
       md5(%(organization)s::text || 'exam' || n %% %(exams)s)::uuid, 'P-' || n, 'C-' || n, 'Ada', 'Byron',
       'ada' || n || '@example.com', 100, 10, 'Redeemed', 1, now() - interval '1 second' * (%(redemptions)s - n), now()
from generate_series(1, %(redemptions)s) n
"""
TABLES = ("redemption_ledger", "voucher_totals", "store_exams", "voucher_partners", "redemptions", "reservations")


def load(connection: psycopg.Connection, organization_id: UUID, *, entries: int, redemptions: int) -> None:
    """Load one organization. Foreign keys are not checked: the rows satisfy them or do not need them here."""
    values = {
        "organization": organization_id,
        "entries": entries,
        "redemptions": redemptions,
        "codes": PROMO_CODES,
        "exams": EXAMS,
        "partners": PARTNERS,
        "days": DAYS,
    }
    for statement in (*CATALOG.split(";\n"), LEDGER, *REDEMPTIONS_OF_EXPORT.split(";\n")):
        connection.execute(statement, values)


async def issue_token(database: Database, organization_id: UUID) -> str:
    """A Bearer token for a new user who manages the organization."""
    now = datetime.now(UTC)
    async with database.unit_of_work(organization_id) as work:
        points = [FunctionPoint.MANAGE_ORGANIZATION]
        await provisioning.create_user(work, email="a@example.com", names=("A", "B"), function_points=points, now=now)
        token = await provisioning.issue_token(
            work, signer=TokenSigner(KEYS), email="a@example.com", lifetime=timedelta(days=1), now=now
        )
    return token.secret


async def prepare(addresses: Addresses, organization_ids: list[UUID]) -> str:
    """Roll up all closed days; returns a token for the first organization."""
    database = Database(addresses.application, pool_size=1)
    for organization_id in organization_ids:
        days, began, has_more = 0, time.perf_counter(), True
        while has_more and days <= DAYS + 1:
            async with database.unit_of_work(organization_id) as work:
                has_more = bool(await reports.roll_up(work, [organization_id], now=datetime.now(UTC)))
            days += has_more
        if organization_id == organization_ids[0]:
            print(f"rolled up {days} days in {time.perf_counter() - began:.1f} s")
    token = await issue_token(database, organization_ids[0])
    await database.close()
    return token


def measure(client: httpx.Client, path: str) -> tuple[float, float]:
    """The p50 and p95 of consecutive requests, in milliseconds."""
    latencies = []
    for _ in range(TRIES + 3):
        began = time.perf_counter()
        answer = client.get(path)
        latencies.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return median(latencies[3:]), quantiles(latencies[3:], n=20)[-1]


def report_requests() -> Iterator[tuple[str, str]]:
    """The title and the path of each report."""
    today = datetime.now(UTC).date()
    for by in ("day", "code", "storeExam", "partner"):
        for title, first in _first_days(today):
            yield f"redemptions by {by}, {title}", f"reports/redemptions?by={by}&from={first}"
    yield "vouchers, 100 of 200 partners", "reports/vouchers"


def _first_days(today: date) -> list[tuple[str, date]]:
    return [(f"{days} days", today - timedelta(days=days)) for days in (1, 7, 30, 365)]


def measure_file(client: httpx.Client, server: Server, title: str, path: str) -> None:
    """Read a whole CSV file, and print its size, its rate and the peak memory of the server."""
    before, peak, lines, size, began = server.resident_mib(), 0.0, 0, 0, time.perf_counter()
    with client.stream("GET", path) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            lines += chunk.count(b"\n")
            size += len(chunk)
            if number % 20 == 0:
                peak = max(peak, server.resident_mib())
    seconds = time.perf_counter() - began
    print(
        f"{title:40}{lines - 1:>12,} rows {size / 2**20:8.1f} MiB {seconds:7.1f} s {lines / seconds:10,.0f} rows/s"
        f"   server {before:.0f} MiB, at most {peak:.0f} MiB"
    )


def main() -> None:
    """Load the data, roll it up, run the measurements and print the figures."""
    with data.database() as (addresses, connection):
        ids = [new_id() for _ in range(NEIGHBOURS + 1)]
        connection.execute("set session_replication_role = replica")
        for number, organization_id in enumerate(ids):
            connection.execute(
                "insert into organizations (id, name, is_active, created_at, version) values (%s, %s, true, now(), 1)",
                [organization_id, f"Organization {number}"],
            )
            big = number == 0
            load(connection, organization_id, entries=ENTRIES if big else 2_000, redemptions=big * REDEMPTIONS)
        for table in TABLES:
            connection.execute(f"vacuum analyze {table}")
        token = asyncio.run(prepare(addresses, ids))
        connection.execute("vacuum analyze redemption_totals")
        with serving(
            "Tessera", "benchmarks.applications:tessera", {"APPLICATION_URL": addresses.application}
        ) as server:
            measure_all(server, token)


def measure_all(server: Server, token: str) -> None:
    """Measure every report and both CSV files."""
    base = f"http://127.0.0.1:{server.port}/management/v1/"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=600) as client:
        for title, path in report_requests():
            p50, p95 = measure(client, path)
            print(f"{title:40}{p50:8.1f} / {p95:.1f} ms")
        measure_file(client, server, "export of redemptions", "exports/redemptions")
        year = datetime.now(UTC).date() - timedelta(days=DAYS)
        path = f"reports/redemptions?by=code&from={year}&format=csv"
        measure_file(client, server, "redemptions by code, 365 days, CSV", path)


if __name__ == "__main__":
    main()
