"""Every list with each of its filters: the operations and their filters are those of the document."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import combinations, product
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.integration.plans import filled_tables
from tests.integration.plans.filled_tables import COUNT, TABLES
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, rows_touched, taken_for_empty
from tests.support.recording import Statement, record_statements

from tessera.api.serving.resources import Resources
from tessera.kit.db.pages import MAX_RESULTS
from tessera.provision import Addresses

# The planner expects one row in 200 of a table, because policies compare settings. Where a page has as many, it may
# read and sort the rows of the organization once; other tests ask for larger ones. A row has what it refers to.
ONCE = COUNT + 10 * 101
ONE, FEW = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
EMAILS = ("many@example.com", "few@example.com", "none@example.com")
TEXTS = ("many", "few", "none")
PURCHASE_STATUSES = ("Complete", "CheckoutCancelled", "CheckoutExpired", "CheckoutInProgress")
METADATA = "channel=many"
# The values of each filter: one of most rows, one of few, and one of none.
VALUES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("batchId", "partnerId", "programId", "purchaseId", "productBundleId", "entityId", "userId"), (ONE, FEW)
    ),
    **dict.fromkeys(("actorName", "purchasedByEmail", "recipientEmail"), EMAILS),
    **dict.fromkeys(("createdFrom", "createdBefore", "since", "until"), ("2026-06-15T06:00:00Z",)),
    **dict.fromkeys(("isActive", "isUsed", "isArchived", "restrictToEmailAddresses"), ("true", "false")),
    **dict.fromkeys(("partnerName", "programName", "name"), ("Program 1", "Partner 1", "None")),
    "action": ("Updated", "Archived"),
    "by": ("code",),
    "campaign": TEXTS,
    "code": ("MANY", "FEW", "E7", "NONE"),
    "email": ("u7@example.com", "none@example.com"),
    "emailAddress": tuple(f"{email}&restrictToEmailAddresses=true" for email in EMAILS),
    "from": ("2026-06-01",),
    "key": ("channel",),
    "kind": ("PromoCode", "Token", "Percent", "Flat"),
    "limit": ("1000",),
    "metadata": (METADATA, "channel=few", "channel=none"),
    "order": ("newest",),
    "page": ("50",),
    "personId": ("MANY", "FEW", "NONE"),
    "promoCodeName": ("CODE7", "NONE"),
    "purchaseCode": ("VP-1", "VP-2", "NONE"),
    "reservationCode": ("R-7", "NONE"),
    "search": ("code", "code7", "V", "V7", "none"),
    "status": ("Active", "Archived", "Inactive", *PURCHASE_STATUSES, "Redeemed", "Cancelled", "Held", "Expired"),
    "storeExamCode": ("E1", "E2", "NONE"),
    "value": TEXTS,
    "voucherCode": ("V7", "NONE"),
    **dict.fromkeys(("cursor", "format", "reveal"), ()),
}
# Lists that compare each name of the organization with a part of a name, and all codes for which an address is noted.
READS_ALL = {
    ("listPromoCodes", "emailAddress"),
    ("listVoucherPartners", "partnerName"),
    ("listVoucherPrograms", "programName"),
}
# A page counts 1,000 records of each filter. Where both have more, it looks up 10,000 of one of them. Where no index
# has a filter, it finds the last of 10,000 records before that.
COMPARED = 2 * MAX_RESULTS + 2 * 1_001 + 10 * 101
LOOKED_UP = 3 * MAX_RESULTS + 10 * 101
UNINDEXED = {
    ("listManagedVoucherPartners", "name"),
    ("listManagedVoucherPrograms", "name"),
    ("listProductBundles", "storeExamCode"),
    ("listManagedVouchers", "isArchived"),
}
# Parameters that every row meets or that are tried by themselves, and those of which each list has values of its own.
NO_FILTERS = {
    "limit",
    "order",
    "cursor",
    "page",
    "format",
    "reveal",
    "metadata",
    "by",
    "key",
    "value",
    "from",
    "search",
}
STATES = {"status", "kind"}
NOT_TRIED = {
    "/management/v1/organizations": "belongs to the platform, and has no filters",
    "/management/v1/reports/vouchers": "adds up all vouchers",
}
# What a list asks for beside the filter.
REQUIRED = {"listRecordsByMetadata": "kind=Voucher&key=channel&value=many&", "reportRedemptions": "by=code&"}


def lists(app: FastAPI) -> Iterator[tuple[str, str, list[str]]]:
    """The name, the URL and the parameters of each list."""
    for path, operations in app.openapi()["paths"].items():
        operation = operations.get("get", {})
        names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
        if {"cursor", "page"} & set(names) and path not in NOT_TRIED:
            name = operation["operationId"]
            yield name, f"{path.replace('{voucherPartnerId}', ONE)}?{REQUIRED.get(name, '')}", names


def requests(app: FastAPI) -> Iterator[tuple[str, int]]:
    """The URL and the most rows that may be read, for each list with each of its filters."""
    for name, url, names in lists(app):
        yield url, ONCE
        for filter_name in names:
            for value in VALUES[filter_name]:
                query = f"{url}{filter_name}={value}"
                yield query, 3 * COUNT if (name, filter_name) in READS_ALL else ONCE
                if "metadata" in names and filter_name not in ("metadata", "limit", "order"):
                    # Each of 10,000 records that have the text is looked up, with what the other filter compares.
                    yield f"{query}&metadata={METADATA}", 4 * MAX_RESULTS


def requests_with_pairs(app: FastAPI) -> Iterator[tuple[str, int]]:
    """The URL and the most rows that may be read, for each list with each two of its filters."""
    for name, url, names in lists(app):
        for pair in combinations([each for each in names if each not in NO_FILTERS], 2):
            filters = {(name, each) for each in pair}
            most = 3 * COUNT if filters & READS_ALL else LOOKED_UP if filters & UNINDEXED else COMPARED
            for values in product(*(VALUES[each] if each in STATES else VALUES[each][:2] for each in pair)):
                query = url + "&".join(f"{each}={value}" for each, value in zip(pair, values, strict=True))
                yield query, most
                if "order" in names:
                    yield f"{query}&order=newest", most


def sent_queries(sent: list[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """The reading statements of a request, each with the beginning of its transaction."""
    begin = None
    for statement in sent:
        text = statement.text.lstrip().lower()
        if text.startswith("begin"):
            begin = statement
        elif begin and text.startswith(("select", "with")) and "insert into" not in text:
            yield begin, statement


@pytest.fixture(scope="module")
async def loaded(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 30,000 rows of each kind that a list shows."""
    tenant = await create_tenant(resources, now=NOW)
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        filled_tables.fill(superuser, tenant.id)
    return tenant


Measure = Callable[[str], Awaitable[int]]


@pytest.fixture
def measure(
    client: httpx.AsyncClient, resources: Resources, application: psycopg.Connection[Any], loaded: Tenant
) -> Measure:
    """The most rows and index entries that the two plans of a list read."""

    async def measure(url: str) -> int:
        headers = loaded.api_key if url.startswith("/storefront") else loaded.bearer
        with record_statements(resources.database) as sent:
            answer = await client.get(url, headers=headers)
        assert answer.status_code in (200, 400, 422), answer.text
        queries = list(sent_queries(sent))
        return max(sum(rows_touched(application, *query, mode=mode) for query in queries) for mode in MODES)

    return measure


@pytest.mark.timeout(300)
async def test_no_list_reads_the_rows_of_its_organization_twice(app: FastAPI, measure: Measure) -> None:
    read = [(url, await measure(url), most) for url, most in requests(app)]
    assert "\n".join(f"{url}: {rows} rows, not {most}" for url, rows, most in read if rows > most) == ""


@pytest.mark.timeout(600)  # it tries over a thousand pairs of filters
async def test_a_list_with_two_filters_reads_the_rows_of_the_narrower_one(app: FastAPI, measure: Measure) -> None:
    read = [(url, await measure(url), most) for url, most in requests_with_pairs(app)]
    assert len(read) > len(list(lists(app)))
    assert "\n".join(f"{url}: {rows} rows, not {most}" for url, rows, most in read if rows > most) == ""


@pytest.mark.timeout(300)
async def test_no_list_reads_rows_again_and_again_while_the_planner_takes_all_tables_for_empty(
    app: FastAPI, measure: Measure, superuser: psycopg.Connection[Any]
) -> None:
    with taken_for_empty(superuser, *TABLES):
        read = [(url, await measure(url)) for url, _ in requests(app) if "metadata=" not in url]
    assert "\n".join(f"{url}: {rows} rows" for url, rows in read if rows > 6 * COUNT) == ""
