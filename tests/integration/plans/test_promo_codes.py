"""Query plans of the lists of promo codes in a large organization beside others, under row-level security."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from hashlib import md5
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.integration.plans.conftest import BIG, TABLES
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.plans import (
    MODES,
    buffers_read,
    explain,
    plan_nodes,
    rows_read,
    rows_touched,
    taken_for_empty,
    with_replaced_rows,
)
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.codes.rules import Use
from tessera.identity.authentication.credentials import parse_key
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.repository import PromoCodeRepository
from tessera.promo_codes.uses.repository import PromoCodeUseRepository, UsabilityRequest, UseChange, find_usability
from tessera.provision import Addresses

CAP = 10_001
# For each filter: the number of matching codes in the large organization, and the rows that it may read, which are the
# matches in each joined table, up to the cap.
FILTERS = [
    ("", BIG, CAP),
    ("status=Active", 100_000, CAP),
    ("status=Archived", 2_000, 2_000),
    ("restrictToEmailAddresses=true", 200, 200),
    ("restrictToEmailAddresses=false", 199_800, CAP),
    ("status=Active&restrictToEmailAddresses=true", 200, 200),
    ("promoCodeName=code777", 1, 1),
    ("promoCodeName=NONE", 0, 0),
    ("storeExamCode=NCA-GENL", 196_000, 3 * CAP),
    ("storeExamCode=ncp-ads", 2_000, 2 * 2_000),
    ("storeExamCode=NONE", 0, 0),
    ("storeExamCode=CLD-100&status=Archived", 0, 2 * 2_000),
    ("restrictToEmailAddresses=true&emailAddress=a1000@example.com", 1, 2),
    ("restrictToEmailAddresses=true&emailAddress=everyone@example.com", 200, 4 * 200),
    ("restrictToEmailAddresses=true&emailAddress=none@example.com", 0, 0),
    ("page=20&status=Archived", 2_000, 2 * 2_000),
]


Look = Callable[[UnitOfWork, list[str], Tenant], Awaitable[None]]
Ask = Callable[[Tenant, str], Awaitable[tuple[httpx.Response, list[dict[str, Any]]]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, resources: Resources, addresses: Addresses) -> Iterator[Ask]:
    """Request a list; its response with the custom and the generic plan of its query.

    Postgres may choose the generic plan after a few executions on one connection.
    """
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:

        async def ask(tenant: Tenant, query: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
            with record_statements(resources.database) as sent:
                answer = await client.get(f"/promo-codes?{query}", headers=tenant.bearer)
            page = next(each for each in sent if "string_agg" in each.text)
            begin = sent[1]
            return answer, [explain(connection, begin, page, mode=mode) for mode in MODES]

        yield ask


@pytest.mark.parametrize(("query", "matching", "bound"), FILTERS)
async def test_a_filter_reads_what_it_finds_and_no_whole_table(
    ask: Ask, big: Tenant, query: str, matching: int, bound: int
) -> None:
    answer, plans = await ask(big, query)
    assert answer.status_code == (200 if matching < CAP else 400)
    for plan in plans:
        assert [part for part in plan_nodes(plan) if "Seq Scan" in part["Node Type"]] == []
        # The page itself comes on top: a hundred codes with their exams and addresses.
        assert rows_read(plan) <= bound * 1.1 + 1_000
        # An index-only scan reads the cap in a hundred blocks; a join looks up each row in three.
        of_each = 3 if "Code=" in query or "emailAddress=" in query else 0
        assert buffers_read(plan) <= 2_000 + of_each * bound


@pytest.mark.parametrize("query", ["", "status=Active", "storeExamCode=NCA-GENL", "restrictToEmailAddresses=false"])
async def test_a_small_organization_reads_nothing_of_the_big_one(
    ask: Ask, big: Tenant, resources: Resources, tenant: Tenant, query: str
) -> None:
    assert big.id != tenant.id
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONE"), now=resources.clock())
    answer, plans = await ask(tenant, query)
    assert [code["promoCodeName"] for code in answer.json()["data"]] == ["ONE"]
    # Only its own few rows, some of them twice.
    assert [plan for plan in plans if rows_read(plan) > 30] == []


async def test_no_page_is_computed_again_for_each_row_while_the_planner_takes_the_tables_for_empty(
    ask: Ask, big: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    with taken_for_empty(superuser, *TABLES):
        for query in ("page=100", "storeExamCode=ncp-ads"):
            _, plans = await ask(big, query)
            # Without filters, each status and restriction is counted and sorted: all codes are read 12 times.
            assert [plan for plan in plans if rows_read(plan) > 13 * BIG] == []


async def find(work: UnitOfWork, codes: list[str], _: Tenant) -> None:
    use = Use(UUID(int=1), UUID(int=2), has_candidate=True, candidate_email="a1000@example.com", person_id="p")
    await run(work.connection, PromoCodeUseRepository(work).finding([(code, use) for code in codes], as_of=NOW))


async def lock(work: UnitOfWork, codes: list[str], _: Tenant) -> None:
    await run(work.connection, PromoCodeUseRepository(work).locking(names=codes, ids=[], as_of=NOW))


async def count(work: UnitOfWork, codes: list[str], tenant: Tenant) -> None:
    ids = [UUID(md5(f"{tenant.id}{code[4:]}".encode(), usedforsecurity=False).hexdigest()) for code in codes]
    await run(work.connection, PromoCodeUseRepository(work).counting(dict.fromkeys(ids, UseChange(1, 0))))


async def validate(work: UnitOfWork, codes: list[str], tenant: Tenant) -> None:
    key, connection = parse_key(tenant.key.secret), await work.driver_connection()

    class InThisTransaction:
        async def fetch(self, query: str, params: Mapping[str, Any], /) -> list[tuple[Any, ...]]:
            return await (await connection.execute(query, params, binary=True)).fetchall()

    requests = [UsabilityRequest(key, code, tenant.bundle_id) for code in codes]
    await find_usability(InThisTransaction(), requests, as_of=NOW)


async def find_taken(work: UnitOfWork, codes: list[str], _: Tenant) -> None:
    await PromoCodeRepository(work).find_used_names(codes)


# For each look-up: the rows and index entries that it may read for each code, which are the code, the catalog entries
# of the product, and for a validation the key with its organization.
@pytest.mark.parametrize("known", ["CODE", "NONE"])
@pytest.mark.parametrize("number", [1, 2, 50, 1_000])
@pytest.mark.parametrize("case", [(find, 6), (lock, 3), (count, 3), (validate, 10), (find_taken, 1)])
async def test_codes_are_looked_up_one_by_one(
    resources: Resources,
    application: psycopg.Connection[Any],
    big: Tenant,
    case: tuple[Look, int],
    number: int,
    known: str,
) -> None:
    look_up, rows = case
    codes = [f"{known}{n * 7 + 1}" for n in range(number)]
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            await look_up(work, codes, big)
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(rows * number)), statement.text
