"""Verification, export and import of an organization with a long history: `python -m benchmarks.history`.

Prints the time and the peak memory of each command. Afterwards every count agrees, in the original and in the copy.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks import data
from benchmarks.data import DATABASE, TOKEN_KEYS
from benchmarks.vouchers import MARKET
from tessera import schema
from tessera.audit.seals import service as seals
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.reports import service as reports

# Of vouchers, half of which are used, and as many redemptions, reservations, and entries of the audit log.
ROWS = 20_000 if os.environ.get("QUICK") else 1_000_000
ORGANIZATION, CODES, DAYS = "History", 1_000, 365
ADMINISTRATOR = ("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Byron")
ID = "('00000000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
FILL = f"""
insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
    amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_at, amount, version)
select %(organization)s, {ID.format("n")}, %(partner)s, %(program)s, 'VP-' || n, 'Complete', 1000, 500, 0, '', false,
       'Ada', 'Byron', now(), 0, 1
from generate_series(0, %(rows)s / 1000 - 1) n;
insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, is_archived, expires_at, version,
    reservation_code, reservation_status, store_exam_id, used_at, used_by_person_id, used_by_client_candidate_id,
    used_by_first_name, used_by_last_name)
select %(organization)s, {ID.format("n")}, {ID.format("n / 1000")}, %(partner)s, 'VOUCHER-' || n, true, false,
       %(expiry)s, 1, case when is_used then 'RSV-' || n end, case when is_used then 'Completed' end,
       case when is_used then %(exam)s::uuid end, case when is_used then now() end,
       case when is_used then 'P-' || n end, case when is_used then 'C-' || n end, case when is_used then 'Ada' end,
       case when is_used then 'Byron' end
from (select n, n %% 2 = 1 as is_used from generate_series(0, %(rows)s - 1) n) numbered;
insert into voucher_totals (organization_id, partner_id, expires_on, quantity, used, archived)
values (%(organization)s, %(partner)s, (%(expiry)s at time zone 'UTC')::date, %(rows)s, %(rows)s / 2, 0);
insert into reservations (organization_id, id, code, status, created_at, updated_at)
select %(organization)s, {ID.format("n")}, 'RSV-' || n, 'Completed', now(), now()
from generate_series(0, %(rows)s - 1) n;
create temporary table uses as
select n, {ID.format("n")} as id, case when n %% 2 = 1 then 'VOUCHER-' || n else 'CODE' || codes.code end as code,
       case when n %% 2 = 0 then %(organization)s::uuid end as owner,
       case when n %% 2 = 0 then {ID.format("code")} end as promo_code,
       case when n %% 2 = 1 then {ID.format("n")} end as voucher,
       case when n %% 2 = 1 then {ID.format("n / 1000")} end as purchase,
       case when n %% 2 = 1 then %(partner)s::uuid end as partner,
       now() - interval '1 day' * (%(days)s * (1 - n::float / %(rows)s)) as at
from generate_series(0, %(rows)s - 1) n, lateral (values (n / 2 %% %(codes)s + 1)) as codes (code);
insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, voucher_id,
    purchase_id, partner_id, store_exam_id, person_id, client_candidate_id, first_name, last_name, email, list_price,
    discount, status, changes, created_at, updated_at)
select %(organization)s, id, id, code, owner, promo_code, voucher, purchase, partner, %(exam)s, 'P-' || n, 'C-' || n,
       'Ada', 'Byron', 'ada' || n || '@example.com', 100, 10, 'Redeemed', 1, at, at
from uses;
insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change, held_change,
    promo_code_owner_id, promo_code_id, voucher_id, purchase_id, partner_id, code, store_exam_id, discount, at)
select %(organization)s, id, 1, 'Redeemed', 1, 0, owner, promo_code, voucher, purchase, partner, code, %(exam)s, 10, at
from uses;
update promo_codes set redemption_count = %(rows)s / 2 / %(codes)s where organization_id = %(organization)s;
insert into audit_entries (organization_id, id, at, actor_kind, actor_name, action, entity_kind, entity_id, after)
select %(organization)s, id, at, 'Installation', 'benchmark', 'Assigned', 'Voucher', id,
       jsonb_build_object('code', code, 'version', n)
from uses;
insert into audit_unsealed (organization_id, entry_id) select %(organization)s, id from uses;
drop table uses
"""


def fill(connection: psycopg.Connection) -> UUID:
    """Add the organization; returns its id."""
    shop = data.add_shop(connection, ORGANIZATION)
    values = {
        "organization": shop.organization_id,
        "exam": shop.exam_id,
        "partner": new_id(),
        "program": new_id(),
        "expiry": datetime.now(UTC) + timedelta(days=DAYS),
        "rows": ROWS,
        "codes": CODES,
        "days": DAYS,
        "listed": False,
    }
    connection.execute("set session_replication_role = replica")  # no checks of foreign keys, which the rows satisfy
    for statement in (*MARKET.strip().split(";\n"), data.PROMO_CODES, *FILL.strip().split(";\n")):
        connection.execute(statement, values)
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum analyze")
    return shop.organization_id


async def catch_up(addresses: Addresses, organization_id: UUID) -> None:
    """Seal all entries and roll up all closed days, as a worker does."""
    database, now = Database(addresses.application, pool_size=1), datetime.now(UTC)
    for task in (seals.seal, reports.roll_up):
        began, has_more = time.perf_counter(), True
        while has_more:
            async with database.unit_of_work(organization_id) as work:
                done = await task(work, [organization_id], now=now)
            has_more = any(getattr(each, "has_more", True) for each in done.values())
        print(f"{task.__name__:45}{time.perf_counter() - began:10.1f} s", flush=True)
    await database.close()


def run(addresses: Addresses, *arguments: str) -> None:
    """Run a command, which must succeed, and print its time and its peak memory."""
    environment = os.environ | {
        "TESSERA_DATABASE_URL": addresses.application,
        "TESSERA_OWNER_DATABASE_URL": addresses.owner,
        "TESSERA_TOKEN_KEYS": ",".join(f"{name}:{key}" for name, key in TOKEN_KEYS.items()),
    }
    began = time.perf_counter()
    process = subprocess.Popen([Path(sys.executable).with_name("tessera"), *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    print(f"{' '.join(arguments[:2]):45}{seconds:10.1f} s{usage.ru_maxrss / 1024:10.0f} MiB", flush=True)
    assert status == 0, arguments


def main() -> None:
    """Fill an organization, and verify, export, import and verify it."""
    with data.database() as (addresses, connection), tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        organization_id = fill(connection)
        print(f"{f'filled with {ROWS:,} rows of each kind':45}{time.perf_counter() - began:10.1f} s", flush=True)
        asyncio.run(catch_up(addresses, organization_id))
        copy = Addresses(*(each.replace(f"/{DATABASE}", "/copy") for each in (addresses.application, addresses.owner)))
        connection.execute("create database copy")
        schema.migrate(copy.owner, copy.application)
        file = str(Path(directory) / "history")
        own = ("--organization", ORGANIZATION)
        for each in (addresses, copy):
            run(each, "platform", "create", *ADMINISTRATOR)
        run(addresses, "ledger", "verify", *own)
        run(addresses, "audit", "verify", *own)
        run(addresses, "organization", "export", *own, file)
        print(f"{'file':45}{Path(file).stat().st_size / 2**20:10.1f} MiB", flush=True)
        run(copy, "organization", "import", file)
        run(copy, "ledger", "verify", *own)
        run(copy, "audit", "verify", *own)


if __name__ == "__main__":
    main()
