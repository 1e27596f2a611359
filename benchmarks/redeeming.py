"""Redemptions, compared to psycopg, which writes the same rows.

Spread: redemptions of many limited codes. The floor runs the same statements, with one transaction for each redemption.
Hot: redemptions of one code by all clients. The floor is a table with a row for each use, from which each transaction
takes a row that is not locked (`SKIP LOCKED`); it writes the same redemption and ledger rows.
"""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from benchmarks import models
from benchmarks.data import Shop
from benchmarks.models import Connection, Work
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, post
from benchmarks.sizes import SIZES
from tessera.kit.identifiers import new_id

CLIENTS = 32
REQUESTS = 24_000  # more than any round sends
USES = 200_000
HISTORY = 50_000  # older redemptions, which give Postgres statistics of the tables
CANDIDATE = {"clientCandidateId": "C-1", "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com"}
SPREAD, HOT = "redemption, spread over many codes", "redemption, one hot code"

PREPARE = """
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version
)
select %(organization)s, code.id, code.name, 'Active', 10, '2099-01-01', 100000000, 0, 0, false, false, false, now(), 1
from (values (%(hot)s::uuid, 'HOT'), (%(rows)s::uuid, 'ROWS')) as code (id, name);
create table uses (
    promo_code_id uuid not null, number integer not null, taken_by uuid, primary key (promo_code_id, number)
);
create index uses_free on uses (promo_code_id, number) where taken_by is null;
insert into uses select %(rows)s, n from generate_series(1, %(uses)s) n;
insert into reservations (organization_id, id, code, status, created_at, updated_at)
select %(organization)s, id, id::text, 'Completed', now(), now()
from generate_series(1, %(history)s) n, lateral (select gen_random_uuid() where n > 0) as made (id);
insert into redemptions (
    organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id, person_id,
    client_candidate_id, first_name, last_name, email, list_price, discount, status, changes, created_at, updated_at
)
select r.organization_id, r.id, r.id, 'CODE1', p.organization_id, p.id, %(exam)s, r.code, 'C-1', 'Ada', 'Byron',
       'ada@example.com', 100, 10, 'Redeemed', 1, now(), now()
from reservations r join promo_codes p using (organization_id) where p.name = 'CODE1';
insert into redemption_ledger (
    organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id, promo_code_id,
    code, store_exam_id, discount, at
)
select organization_id, id, 1, 'Redeemed', 1, 0, promo_code_owner_id, promo_code_id, code, store_exam_id, 10, now()
from redemptions;
update promo_codes set redemption_count = %(history)s where organization_id = %(organization)s and name = 'CODE1';
analyze
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
    """The floors: functions that make one redemption with psycopg."""

    def __init__(self, shop: Shop, rows: UUID) -> None:
        self._common = {"organization": shop.organization_id, "exam": shop.exam_id, "key_id": shop.key_id}
        self._rows = rows

    async def spread(self, connection: Connection, number: int) -> None:
        """Redeem one of many codes: key, reservation, exam, code, redemption, ledger, count."""
        at = number % SIZES.codes + 1
        values = self._values() | {"key": f"code{at}", "name": f"CODE{at}"}
        async with connection.transaction():
            await connection.execute(KEY, values)
            await connection.execute(ADD_RESERVATION, values)
            await connection.execute(EXAM, values)
            code: Any = await (await connection.execute(FIND, values)).fetchone()
            assert code[4] + code[5] < code[3]
            values["code"] = code[0]
            await connection.execute(ADD_REDEMPTION, values)
            await connection.execute(ADD_ENTRY, values)
            await connection.execute(COUNT, values)

    async def rows(self, connection: Connection, _: int) -> None:
        """Redeem the hot code, by taking one row of its uses."""
        values = self._values() | {"code": self._rows, "name": "ROWS"}
        async with connection.transaction():
            use = await connection.execute(TAKE, values)
            assert use.rowcount == 1
            await connection.execute(ADD_RESERVATION, values)
            await connection.execute(ADD_REDEMPTION, values)
            await connection.execute(ADD_ENTRY, values)

    def _values(self) -> dict[str, Any]:
        id_ = new_id()
        return {**self._common, "id": id_, "reservation": new_id(), "person": id_.hex, "now": datetime.now(UTC)}


def measure(
    results: Results, servers: Mapping[str, Server], shop: Shop, connection: psycopg.Connection, bare_url: str
) -> None:
    """Measure both cases, and the validation of one code and of 1,000."""
    rows = new_id()
    values = {
        "organization": shop.organization_id,
        "exam": shop.exam_id,
        "hot": new_id(),
        "rows": rows,
        "uses": USES,
        "history": HISTORY,
    }
    for statement in PREPARE.strip().split(";\n"):
        connection.execute(statement, values)
    bare = Models(shop, rows)
    spread = itertools.cycle([f"CODE{n + 1}" for n in range(SIZES.codes)])
    for case, names, floor, target in (
        (SPREAD, spread, bare.spread, 1.0),
        (HOT, itertools.repeat("HOT"), bare.rows, 1.0),
    ):
        _compare(results, case, servers["Tessera"], lambda names=names: requests(shop, names), (bare_url, floor))
        ratio = results.ratio(case, "Tessera")
        results.judge(case, f"{target:.2f} of the floor", ratio, reached=ratio >= target)
    for name, request in {"1,000 codes": validation(shop, 1000), "1 code": validation(shop, 1)}.items():
        figures = servers["Tessera"].measure([request], connections=1, seconds=SIZES.seconds)
        results.note(f"POST /storefront/v1/validations, {name} in a call", figures.p50 or 0.0, "ms")


def _compare(results: Results, case: str, server: Server, load: Any, floor: tuple[str, Work]) -> None:  # noqa: ANN401
    numbers = itertools.count(1)

    def ours() -> Figures:
        return server.measure(load(), connections=CLIENTS, seconds=SIZES.seconds, expected=201)

    def bare() -> Figures:
        return models.measure(floor[0], floor[1], connections=CLIENTS, seconds=SIZES.seconds, numbers=numbers)

    results.interleave(case, {"Tessera": ours, "bare psycopg": bare}, rounds=SIZES.rounds)


def requests(shop: Shop, names: Iterator[str]) -> list[bytes]:
    """Redemption requests, each for a different reservation and candidate."""
    return [
        post(
            "/storefront/v1/redemptions",
            {"cv-api-key": shop.api_key},
            {
                "code": next(names),
                "reservationCode": new_id().hex,
                "storeExamCode": "EXAM",
                "candidate": CANDIDATE | {"personId": new_id().hex},
            },
        )
        for _ in range(REQUESTS)
    ]


def validation(shop: Shop, count: int) -> bytes:
    """A request that validates `count` codes."""
    body = {"codes": [f"CODE{n + 1}" for n in range(count)], "storeExamCode": "EXAM", "candidate": {"personId": "P"}}
    return post("/storefront/v1/validations", {"cv-api-key": shop.api_key}, body)
