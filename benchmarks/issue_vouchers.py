"""Making vouchers beside a bare COPY of the same rows, in interleaved rounds: `python -m benchmarks.issue_vouchers`."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks import data
from tessera.identity import service as identity
from tessera.kit.database import Database
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import NewPartner
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.service import NewProgram
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.rules import PurchaseDraft
from tessera.vouchers.rules import Status

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 5
PURCHASES = 100
QUANTITY = 1000
ROWS = PURCHASES * QUANTITY
DRAFT = PurchaseDraft(notes="Benchmark", partner_name="Partner", program_name="Program", quantity=QUANTITY)
COLUMNS = "organization_id, purchase_id, partner_id, is_active, is_archived, version, expires_at, id, code"


async def open_market(database: Database, name: str) -> UUID:
    """An organization with a partner, and a program that costs nothing."""
    now = datetime.now(UTC)
    async with database.unit_of_work(new_id()) as work:
        await identity.create_organization(work, name=name, now=now)
        await partners.add_all(work, [NewPartner(new_id(), "Partner", Status.ACTIVE)], now=now)
        program = NewProgram(id=new_id(), name="Program", status=Status.ACTIVE, voucher_code_prefix="PROGRAM-")
        await programs.add(work, program, now=now)
        return work.organization_id


async def buy(database: Database, organization_id: UUID, *, times: int) -> None:
    """Purchases of 1,000 vouchers, which all become visible to the worker at once."""
    async with database.unit_of_work(organization_id) as work:
        for _ in range(times):
            await purchases.create(work, draft=DRAFT, now=datetime.now(UTC))


def wait_for_vouchers(superuser: psycopg.Connection, organization_id: UUID) -> None:
    """Return once no purchase of the organization waits for its vouchers."""
    query = "select from voucher_purchases where organization_id = %s and status <> 'Complete' limit 1"
    while superuser.execute(query, [organization_id]).rowcount:
        time.sleep(0.01)


def issue(database: Database, superuser: psycopg.Connection, organization_id: UUID, *, times: int) -> float:
    """Seconds from the purchases' commit to the last voucher."""
    asyncio.run(_buy_and_close(database, organization_id, times=times))
    start = time.perf_counter()
    wait_for_vouchers(superuser, organization_id)
    return time.perf_counter() - start


async def _buy_and_close(database: Database, organization_id: UUID, *, times: int) -> None:
    await buy(database, organization_id, times=times)
    await database.close()


def copy(superuser: psycopg.Connection, source: UUID, target: UUID) -> float:
    """Seconds of one COPY of the same rows, for another organization, into the same table.

    The rows come from a text file on the server's side, with every column that the worker writes; the purchases that
    the rows refer to are there before.
    """
    superuser.execute(
        "insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity,"
        " quantity_used, amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name,"
        " purchased_at, amount, version)"
        " select %(target)s, p.id, (select id from voucher_partners where organization_id = %(target)s),"
        " (select id from voucher_programs where organization_id = %(target)s), p.code, p.status, p.quantity,"
        " 0, 0, p.notes, false, p.purchased_by_first_name, p.purchased_by_last_name, p.purchased_at, 0, 1"
        " from voucher_purchases p where organization_id = %(source)s",
        {"source": source, "target": target},
    )
    select = (
        f"select '{target}', purchase_id, (select id from voucher_partners where organization_id = '{target}'),"
        f" is_active, is_archived, version, expires_at, id, code from vouchers"
        f" where organization_id = '{source}' order by vouchers.id"
    )
    with superuser.cursor() as cursor, cursor.copy(f"copy ({select}) to stdout") as rows:
        content = b"".join(bytes(each) for each in rows)
    start = time.perf_counter()
    with superuser.cursor() as cursor, cursor.copy(f"copy vouchers ({COLUMNS}) from stdin") as writer:
        writer.write(content)
    return time.perf_counter() - start


@contextmanager
def worker(addresses: Addresses) -> Iterator[None]:
    """`tessera worker` in a process of its own, once it takes jobs."""
    command = [str(Path(sys.executable).with_name("tessera")), "worker"]
    environment = os.environ | {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(command, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Load, measure, print."""
    latencies, issued, copied = [], [], []
    with data.database() as addresses, data.connect(addresses) as superuser, worker(addresses):
        database = Database(addresses.application)
        issue(database, superuser, asyncio.run(_market(database, "Warm-up")), times=4)
        for number in range(5):
            latencies.append(issue(database, superuser, asyncio.run(_market(database, f"One {number}")), times=1))
        for number in range(ROUNDS):
            source, target = (asyncio.run(_market(database, f"{role} {number}")) for role in ("Issued", "Copied"))
            superuser.execute("checkpoint")
            issued.append(ROWS / issue(database, superuser, source, times=PURCHASES))
            superuser.execute("checkpoint")
            copied.append(ROWS / copy(superuser, source, target))
    print(f"{'1 purchase of 1,000: commit to Complete':45}{statistics.median(latencies) * 1000:>12,.0f} ms")
    print(f"{f'{PURCHASES} purchases of 1,000 by the worker':45}{statistics.median(issued):>12,.0f} rows/s")
    print(f"{'COPY of the same rows':45}{statistics.median(copied):>12,.0f} rows/s")
    ratios = [ours / bare for ours, bare in zip(issued, copied, strict=True)]
    print(f"{'ratio':45}{statistics.median(ratios):>12.2f}        rounds: {', '.join(f'{r:.2f}' for r in ratios)}")


async def _market(database: Database, name: str) -> UUID:
    found = await open_market(database, name)
    await database.close()
    return found


if __name__ == "__main__":
    main()
