"""How the lists find their rows in a big organization beside others, as the role that row-level security binds."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from tests.integration.plans.conftest import BIG
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.plans import MODES, buffers_read, explain, plan_nodes, rows_read
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

CAP = 10_001
# What a filter finds of the big organization's codes, and how many rows may be read for it: of each table that is
# joined those that the filter on it finds, up to the cap.
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
    ("restrictToEmailAddresses=true&emailAddress=everyone@example.com", 200, 2 * 20_000),
    ("restrictToEmailAddresses=true&emailAddress=none@example.com", 0, 0),
    ("page=20&status=Archived", 2_000, 2 * 2_000),
]


Ask = Callable[[Tenant, str], Awaitable[tuple[httpx.Response, list[dict[str, Any]]]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, resources: Resources, addresses: Addresses) -> Iterator[Ask]:
    """Ask for a list, and get the answer and the plans: for these values, and for whatever values come.

    A connection that has asked a few times may take the second one.
    """
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:

        async def ask(tenant: Tenant, query: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
            with record_statements(resources.database) as sent:
                answer = await client.get(f"/promo-codes?{query}", headers=tenant.bearer)
            _, begin, page, *_ = sent
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
        # What is shown of a hundred codes comes on top: each with its exams and addresses.
        assert rows_read(plan) <= bound * 1.1 + 1_000
        # An index that has all that is asked gives the cap in a hundred blocks; a join looks up each row, in three.
        assert buffers_read(plan) <= 2_000 + (3 * bound if "Code=" in query or "emailAddress=" in query else 0)


@pytest.mark.parametrize("query", ["", "status=Active", "storeExamCode=NCA-GENL", "restrictToEmailAddresses=false"])
async def test_a_small_organization_reads_nothing_of_the_big_one(
    ask: Ask, big: Tenant, resources: Resources, tenant: Tenant, query: str
) -> None:
    assert big.id != tenant.id
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONE"), now=resources.clock())
    answer, plans = await ask(tenant, query)
    assert [code["promoCodeName"] for code in answer.json()["data"]] == ["ONE"]
    # Its own few rows, some of them more than once.
    assert [plan for plan in plans if rows_read(plan) > 30] == []
