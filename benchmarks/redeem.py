"""Redemptions beside bare models of the same, in interleaved rounds: `python -m benchmarks.redeem`.

Spread: many limited codes, each used now and then; the floor is the same statements by bare psycopg, a transaction for
each redemption. Hot: one code that all clients want; the floor is the model with a row for each use, of which each
transaction takes one that nobody has locked (`SKIP LOCKED`), with the same redemption and ledger rows.
"""

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from benchmarks import data
from benchmarks.servers import Server, get, post, serving
from tessera.kit.identifiers import new_id

QUICK = bool(os.environ.get("QUICK"))
CODES = 1_000 if QUICK else 10_000
CLIENTS = 32
ROUNDS = 3 if QUICK else 5
SECONDS = 2.0 if QUICK else 4.0
ENOUGH = 12_000 if QUICK else 24_000  # requests that no round can use up
CANDIDATE = {"clientCandidateId": "C-1", "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com"}
Redeem = Callable[[psycopg.AsyncConnection[Any], int], Awaitable[None]]

PREPARE = """
insert into store_exams (organization_id, id, code, name, price, created_at)
values (%(organization)s, %(exam)s, 'EXAM', 'Exam', 100, now());
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at
)
select %(organization)s, code.id, code.name, 'Active', 10, '2099-01-01', 100000000, 0, 0, false, false, false, now()
from (values (%(hot)s::uuid, 'HOT'), (%(rows)s::uuid, 'ROWS')) as code (id, name);
create table uses (
    promo_code_id uuid not null, number integer not null, taken_by uuid, primary key (promo_code_id, number)
);
create index uses_free on uses (promo_code_id, number) where taken_by is null;
insert into uses select %(rows)s, n from generate_series(1, %(uses)s) n;
"""
ADD_RESERVATION = """
insert into reservations (organization_id, id, code, status, created_at, updated_at)
values (%(organization)s, %(reservation)s, %(reservation)s::text, 'Created', %(now)s, %(now)s)
"""
ADD_REDEMPTION = """
insert into redemptions (
    organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id, person_id,
    client_candidate_id, first_name, last_name, email, list_price, discount, status, changes, created_at, updated_at
) values (
    %(organization)s, %(id)s, %(reservation)s, %(name)s, %(organization)s, %(code)s, %(exam)s, %(person)s, 'C-1', 'Ada',
    'Byron', 'ada@example.com', 100, 10, 'Redeemed', 1, %(now)s, %(now)s
)
"""
ADD_ENTRY = """
insert into redemption_ledger (
    organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id, promo_code_id,
    code, store_exam_id, discount, at
) values (%(organization)s, %(id)s, 1, 'Redeemed', 1, 0, %(organization)s, %(code)s, %(name)s, %(exam)s, 10, %(now)s)
"""
FIND = """
select id, status, expires_at, max_redemptions, redemption_count, held_count, discount_percent from promo_codes
where organization_id = %(organization)s and name_key = %(key)s for no key update
"""
COUNT = """
update promo_codes set redemption_count = redemption_count + 1
where organization_id = %(organization)s and id = %(code)s
"""
EXAM = "select id, price from store_exams where organization_id = %(organization)s and code_key = 'exam'"
KEY = "select key_digest from api_keys where organization_id = %(organization)s and id = %(key_id)s"
TAKE = """
update uses set taken_by = %(id)s where (promo_code_id, number) = (
    select promo_code_id, number from uses where promo_code_id = %(code)s and taken_by is null
    order by number limit 1 for update skip locked
)
"""


class Models:
    """The bare models, on as many connections as there are clients."""

    def __init__(self, url: str, storefront: data.Storefront, exam: UUID, rows: UUID) -> None:
        self._url = url
        self._common = {"organization": storefront.organization_id, "exam": exam, "key_id": storefront.key_id}
        self._rows = rows

    async def measure(self, redeem: Redeem) -> float:
        """Redemptions a second."""
        connections = [await psycopg.AsyncConnection.connect(self._url, prepare_threshold=0) for _ in range(CLIENTS)]
        numbers, done, deadline = itertools.count(1), 0, time.perf_counter() + SECONDS

        async def client(connection: psycopg.AsyncConnection[Any]) -> int:
            count = 0
            while time.perf_counter() < deadline:
                await redeem(connection, next(numbers))
                count += 1
            return count

        done = sum(await asyncio.gather(*map(client, connections)))
        for connection in connections:
            await connection.close()
        return done / SECONDS

    async def spread(self, connection: psycopg.AsyncConnection[Any], number: int) -> None:
        """One redemption of one of many codes: key, reservation, exam, code, redemption, ledger, count."""
        values = self._values() | {"key": f"code{number % CODES + 1}", "name": f"CODE{number % CODES + 1}"}
        async with connection.transaction():
            await connection.execute(KEY, values)
            await connection.execute(ADD_RESERVATION, values)
            await connection.execute(EXAM, values)
            code = await (await connection.execute(FIND, values)).fetchone()
            assert code is not None
            assert code[4] + code[5] < code[3]
            values["code"] = code[0]
            await connection.execute(ADD_REDEMPTION, values)
            await connection.execute(ADD_ENTRY, values)
            await connection.execute(COUNT, values)

    async def rows(self, connection: psycopg.AsyncConnection[Any], number: int) -> None:
        """One redemption of the hot code, by a row for each use."""
        values = self._values() | {"code": self._rows, "name": "ROWS"}
        async with connection.transaction():
            taken = await connection.execute(TAKE, values)
            assert taken.rowcount == 1
            await connection.execute(ADD_RESERVATION, values)
            await connection.execute(ADD_REDEMPTION, values)
            await connection.execute(ADD_ENTRY, values)

    def _values(self) -> dict[str, Any]:
        id_ = new_id()
        return {**self._common, "id": id_, "reservation": new_id(), "person": id_.hex, "now": datetime.now(UTC)}


def requests(storefront: data.Storefront, names: Iterator[str]) -> list[bytes]:
    """Requests to redeem, each for a reservation and a candidate of its own."""
    return [
        post(
            "/storefront/v1/redemptions",
            {"cv-api-key": storefront.api_key},
            {
                "code": next(names),
                "reservationCode": new_id().hex,
                "storeExamCode": "EXAM",
                "candidate": CANDIDATE | {"personId": new_id().hex},
            },
        )
        for _ in range(ENOUGH)
    ]


def validations(storefront: data.Storefront, count: int) -> list[bytes]:
    """Requests to validate that many codes at once."""
    body = {"codes": [f"CODE{n + 1}" for n in range(count)], "storeExamCode": "EXAM", "candidate": {"personId": "P"}}
    return [post("/storefront/v1/validations", {"cv-api-key": storefront.api_key}, body)]


def main() -> None:
    """Load, measure, print."""
    with data.database() as addresses, ExitStack() as stack:
        storefront = data.load_promo_codes(addresses, organizations=1, codes=CODES)[0]
        exam, rows = new_id(), new_id()
        with data.connect(addresses) as connection, connection.cursor() as cursor:
            values = {"organization": storefront.organization_id, "exam": exam, "hot": new_id(), "rows": rows}
            for statement in PREPARE.strip().split(";\n"):
                cursor.execute(statement, values | {"uses": ENOUGH * 10})
            cursor.execute("update promo_codes set max_redemptions = 100000000")
            cursor.execute("vacuum analyze")
        environment = {"APPLICATION_URL": addresses.application, "OWNER_URL": addresses.owner}
        server = stack.enter_context(serving("Tessera", "benchmarks.applications:tessera", environment))
        models = Models(addresses.owner.replace("+psycopg", ""), storefront, exam, rows)
        report(
            "spread over many codes", server, models, models.spread, storefront, [f"CODE{n + 1}" for n in range(CODES)]
        )
        report("one hot code", server, models, models.rows, storefront, ["HOT"])
        single(server, storefront)


def report(
    title: str, server: Server, models: Models, floor: Redeem, storefront: data.Storefront, names: list[str]
) -> None:
    """Measure Tessera and its floor in turn, and print a row."""
    runs, floors = [], []
    for _ in range(ROUNDS):
        floors.append(asyncio.run(models.measure(floor)))
        run = server.measure(requests(storefront, itertools.cycle(names)), connections=CLIENTS, seconds=SECONDS)
        assert set(run["statuses"]) == {"201"}, run
        runs.append(run)
    rate, bare = statistics.median(run["per_second"] for run in runs), statistics.median(floors)
    p50, p99, cpu = (statistics.median(run[name] for run in runs) for name in ("p50", "p99", "cpu_ms"))
    ratios = [run["per_second"] / each for run, each in zip(runs, floors, strict=True)]
    print(
        f"{title:24} {rate:8.0f}/s  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  CPU {cpu:5.2f} ms   bare {bare:6.0f}/s"
        f"   ratio {rate / bare:5.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f})"
    )


def single(server: Server, storefront: data.Storefront) -> None:
    """Validation of many codes in a call, and of one."""
    for title, load in (
        ("1,000 codes in a call", validations(storefront, 1000)),
        ("1 code in a call", validations(storefront, 1)),
        ("GET promo-codes", [get("/api/v1/promo-codes?code=CODE1", {"cv-api-key": storefront.api_key})]),
    ):
        run = server.measure(load, connections=1, seconds=SECONDS)
        print(f"{title:24} {run['per_second']:8.0f}/s  p50 {run['p50']:6.1f} ms  p99 {run['p99']:6.1f} ms")


if __name__ == "__main__":
    main()
