"""POST /promo-codes, compared to psycopg, which inserts the rows of each request in one transaction."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from benchmarks import models
from benchmarks.data import Shop
from benchmarks.models import Connection
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, post
from benchmarks.sizes import CONNECTIONS, SIZES
from tessera.kit.identifiers import new_id

CASE = "POST /promo-codes"
REQUESTS = 20_000  # more than any round sends
EMAILS = ("ada@example.com", "bob@example.com")
ADD_CODE = """
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version
) values (%(organization)s, %(id)s, %(name)s, 'Active', 25, %(until)s, 500, 0, 0, true, true, false, %(now)s, 1)
"""
ADD_EXAM = """
insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
values (%(organization)s, %(id)s, %(exam)s, 0)
"""
ADD_ADDRESSES = """
insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
values (%(organization)s, %(id)s, 'ada@example.com', 'ada@example.com', 0),
       (%(organization)s, %(id)s, 'bob@example.com', 'bob@example.com', 1)
"""


def measure(results: Results, servers: Mapping[str, Server], shop: Shop, bare_url: str) -> None:
    """Create codes with an exam and two addresses each through Tessera and through psycopg."""
    names = (f"N{number}" for number in itertools.count(1))
    numbers = itertools.count(1)

    async def add(connection: Connection, number: int) -> None:
        now = datetime.now(UTC)
        values = {
            "organization": shop.organization_id,
            "id": new_id(),
            "exam": shop.exam_id,
            "name": f"B{number}",
            "now": now,
            "until": now + timedelta(days=365),
        }
        async with connection.transaction():
            for statement in (ADD_CODE, ADD_EXAM, ADD_ADDRESSES):
                await connection.execute(statement, values)

    def ours() -> Figures:
        return servers["Tessera"].measure(
            requests(shop, names), connections=CONNECTIONS, seconds=SIZES.seconds, expected=201
        )

    def bare() -> Figures:
        return models.measure(bare_url, add, connections=CONNECTIONS, seconds=SIZES.seconds, numbers=numbers)

    results.interleave(CASE, {"Tessera": ours, "bare psycopg": bare}, rounds=SIZES.rounds)
    ratio = results.ratio(CASE, "Tessera")
    results.judge(CASE, "0.50 of the floor", ratio, reached=ratio >= 0.5)


def requests(shop: Shop, names: Iterator[str]) -> list[bytes]:
    """Requests that create codes with the next names."""
    body = {
        "storeExamCodes": ["EXAM"],
        "discountPercent": 25,
        "expirationDateUtc": "2099-01-01T00:00:00",
        "maxRedemptions": 500,
        "emailAddresses": EMAILS,
        "isActive": True,
        "restrictToEmailAddresses": True,
    }
    return [post("/promo-codes", shop.bearer, body | {"promoCodeName": next(names)}) for _ in range(REQUESTS)]
