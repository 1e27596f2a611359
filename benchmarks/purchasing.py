"""POST /api/vouchers/purchases until all vouchers exist, compared to a COPY of the same rows."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from benchmarks import data, vouchers
from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, post, running
from benchmarks.sizes import CONNECTIONS, SIZES
from tessera.provision import Addresses

CASE = "POST /api/vouchers/purchases, 1,000 vouchers each"
QUANTITY = 1000
ROUNDS = 3
SECONDS_TO_COMPLETE = 300
BODY = {"notes": "Benchmark", "partnerName": "Partner", "programName": "Program", "quantity": QUANTITY}
COLUMNS = "organization_id, purchase_id, partner_id, is_active, is_archived, version, expires_at, id, code"
INCOMPLETE = "select from voucher_purchases where organization_id = %s and status <> 'Complete' limit 1"
COUNT = "select count(*) from vouchers where organization_id = %s"
COPY_PURCHASES = """
insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity,
    quantity_used, amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name,
    purchased_at, amount, version)
select %(target)s, p.id, (select id from voucher_partners where organization_id = %(target)s),
       (select id from voucher_programs where organization_id = %(target)s), p.code, p.status, p.quantity,
       0, 0, p.notes, false, p.purchased_by_first_name, p.purchased_by_last_name, p.purchased_at, 0, 1
from voucher_purchases p where organization_id = %(source)s
"""


def measure(
    results: Results, servers: Mapping[str, Server], connection: psycopg.Connection, addresses: Addresses
) -> None:
    """Measure one purchase, and many concurrent ones, from the first request to the last voucher."""
    with worker(addresses):
        server, shops = servers["Tessera"], iter(_shops(connection, addresses, count=7 + ROUNDS * 2))
        buy(server, connection, next(shops), times=8)
        single = [buy(server, connection, next(shops), times=1) * 1000 for _ in range(5)]
        results.note("one purchase of 1,000 vouchers, from the request to Complete", median(single), "ms")
        rows, buyers = SIZES.purchases * QUANTITY, []

        def ours() -> Figures:
            buyers.append(next(shops))
            connection.execute("checkpoint")
            return Figures(per_second=rows / buy(server, connection, buyers[-1], times=SIZES.purchases))

        def bare() -> Figures:
            connection.execute("checkpoint")
            return Figures(per_second=rows / copy(connection, buyers[-1], next(shops)))

        results.interleave(CASE, {"Tessera with a worker": ours, "COPY": bare}, rounds=ROUNDS)
    ratio = results.ratio(CASE, "Tessera with a worker")
    results.judge(CASE, "0.60 of the floor", ratio, reached=ratio >= 0.6)


def _shops(connection: psycopg.Connection, addresses: Addresses, *, count: int) -> Iterator[Shop]:
    for number in range(count):
        shop = data.add_shop(connection, f"Buyer {number}", application_url=addresses.application)
        vouchers.Market(connection, shop)
        yield shop


def buy(server: Server, connection: psycopg.Connection, shop: Shop, *, times: int) -> float:
    """Order vouchers `times` times; returns the seconds from the first request to the last voucher."""
    began = time.perf_counter()
    asyncio.run(_order(server, shop, times=times))
    while connection.execute(INCOMPLETE, [shop.organization_id]).rowcount:
        assert time.perf_counter() - began < SECONDS_TO_COMPLETE, "the worker did not complete the purchases in time"
        time.sleep(0.005)
    elapsed = time.perf_counter() - began
    row = connection.execute(COUNT, [shop.organization_id]).fetchone()
    assert row == (times * QUANTITY,), row
    return elapsed


async def _order(server: Server, shop: Shop, *, times: int) -> None:
    # Raw bytes, because a client library would need as much CPU time as the server.
    request, turns = post("/api/vouchers/purchases", shop.bearer, BODY), iter(range(times))

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in turns:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        writer.close()

    await asyncio.gather(*(send_some() for _ in range(min(times, CONNECTIONS))))


def copy(connection: psycopg.Connection, source: Shop, target: Shop) -> float:
    """COPY the vouchers of one organization into another one; returns the seconds.

    The rows are text with every column that the worker writes. Their purchases are inserted before the measurement.
    """
    ids = {"source": source.organization_id, "target": target.organization_id}
    connection.execute(COPY_PURCHASES, ids)
    select = (
        "select '{target}', purchase_id, (select id from voucher_partners where organization_id = '{target}'),"
        " is_active, is_archived, version, expires_at, id, code from vouchers"
        " where organization_id = '{source}' order by vouchers.id"
    ).format(**ids)
    with connection.cursor() as cursor, cursor.copy(f"copy ({select}) to stdout") as rows:
        content = b"".join(bytes(each) for each in rows)
    began = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(f"copy vouchers ({COLUMNS}) from stdin") as writer:
        writer.write(content)
    return time.perf_counter() - began


@contextmanager
def worker(addresses: Addresses) -> Iterator[None]:
    """A `tessera worker` process until the context ends."""
    command = [str(Path(sys.executable).with_name("tessera")), "worker"]
    environment = os.environ | {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_LOG_LEVEL": "WARNING"}
    with running(command, environment):
        yield
