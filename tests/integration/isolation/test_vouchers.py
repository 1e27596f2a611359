"""Two organizations with equal names inside, two partners in each, and every operation on vouchers.

With both locks, and with only one of them, for organizations and for partners.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, create_tenant
from tests.support.recording import rewrite_statements
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.voucher_requests import EMPTY, request
from tests.support.voucher_shops import Shop, View, furnish, ids, views, without_clauses, without_partner_clauses

from tessera.api.serving.resources import Resources

ROOT = "/api/vouchers"


@pytest.fixture(scope="module")
async def shops(resources: Resources) -> tuple[Shop, Shop]:
    """For tests that change nothing."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    return await furnish(resources, tenants[0]), await furnish(resources, tenants[1])


@pytest.fixture
async def new_shops(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> tuple[Shop, Shop]:
    """For tests that change something; they must name it before `asking`, which removes conditions from statements."""
    return await furnish(resources, tenant), await furnish(resources, other_tenant)


@pytest.fixture(params=["both locks", "only row-level security", "only the repositories' clauses"])
async def asking(
    request: pytest.FixtureRequest,
    app: FastAPI,
    resources: Resources,
    shops: tuple[Shop, Shop],
    superuser_app: FastAPI,
) -> AsyncIterator[httpx.AsyncClient]:
    with ExitStack() as stack:
        if request.param == "only row-level security":
            # Citus finds no node for a statement that names no organization.
            without = without_partner_clauses if citus.COORDINATOR else without_clauses
            stack.enter_context(rewrite_statements(resources.database, without))
        if request.param == "only the repositories' clauses":
            app = superuser_app
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            yield client


async def list_records(client: httpx.AsyncClient, view: View, path: str) -> list[dict[str, Any]]:
    answer = await client.get(ROOT + path, headers=view.headers)
    assert (answer.status_code, set(answer.json())) == (200, {"data"})
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


@pytest.mark.parametrize("query", ["", "?status=active", "?partnerName=E", "?partnerName=e&status=Active"])
async def test_partners_are_the_callers_own(asking: httpx.AsyncClient, shops: tuple[Shop, Shop], query: str) -> None:
    for view in views(shops):
        result = await list_records(asking, view, f"/partners{query}")
        names = [name for name in view.partners if "partnerName" not in query or "e" in name.lower()]
        assert [partner["id"] for partner in result] == ids(view.shop.partners, tuple(names))
        emails = [[f"user@{name}.example.com".lower()] for name in names]
        assert [[user["email"].lower() for user in partner["users"]] for partner in result] == emails


@pytest.mark.parametrize("query", ["", "?programName=e"])
async def test_programs_are_those_open_to_the_caller_and_name_no_other_partner(
    asking: httpx.AsyncClient, shops: tuple[Shop, Shop], query: str
) -> None:
    assigned = {"Acme's": ("Acme",), "Globex's": ("Globex",), "Shared": ("Acme", "Globex")}
    for view in views(shops):
        result = await list_records(asking, view, f"/programs{query}")
        names = [name for name in view.programs if not query or "e" in name.lower()]
        assert [program["id"] for program in result] == ids(view.shop.programs, tuple(names))
        shown = [[partner["id"] for partner in program["partners"]["assignedPartners"]] for program in result]
        assert shown == [
            ids(view.shop.partners, tuple(each for each in assigned.get(name, ()) if each in view.partners))
            for name in names
        ]
        exam = str(view.shop.tenant.exam_ids["NCA-GENL"])
        assert [[each["id"] for each in program["storeExams"]] for program in result] == [[exam]] * len(names)
        domains = [program["restrictions"]["emailDomainRestrictions"] for program in result]
        assert [[each["domain"] for each in rules] for rules in domains] == [["example.com"]] * len(names)


@pytest.mark.parametrize(
    "query",
    ["status=Complete", "programName=open", "purchasedByEmail=buyer@example.com", "programName=Open&status=complete"],
)
async def test_purchases_are_the_callers_own(asking: httpx.AsyncClient, shops: tuple[Shop, Shop], query: str) -> None:
    for view in views(shops):
        result = await list_records(asking, view, f"/purchases?{query}")
        assert [(each["id"], each["partnerName"]) for each in result] == [
            (str(view.shop.purchases[name]), name) for name in view.partners
        ]


@pytest.mark.parametrize("pattern", ["/purchases?partnerName={}", "/purchases?purchaseCode=VP-{}"])
async def test_anothers_purchases_are_not_found(
    asking: httpx.AsyncClient, shops: tuple[Shop, Shop], pattern: str
) -> None:
    for view in views(shops):
        for name in ("Acme", "Globex"):
            result = await list_records(asking, view, pattern.format(name))
            visible = (name,) if name in view.partners else ()
            assert [each["id"] for each in result] == ids(view.shop.purchases, visible)


@pytest.mark.parametrize(
    "query",
    ["isUsed=true", "isActive=true", "isActive=true&isUsed=true", "recipientEmail=ada@example.com",
     "reservationCode=RSV-1", "storeExamCode=NCA-GENL"],
)  # fmt: skip
async def test_vouchers_are_the_callers_own(asking: httpx.AsyncClient, shops: tuple[Shop, Shop], query: str) -> None:
    for view in views(shops):
        result = await list_records(asking, view, f"?{query}")
        assert [each["id"] for each in result] == ids(view.shop.vouchers, view.partners)


@pytest.mark.parametrize("pattern", ["?purchaseCode=VP-{}", "?voucherCode=V-{}"])
async def test_anothers_vouchers_are_not_found(
    asking: httpx.AsyncClient, shops: tuple[Shop, Shop], pattern: str
) -> None:
    for view in views(shops):
        for name in ("Acme", "Globex"):
            result = await list_records(asking, view, pattern.format(name))
            visible = (name,) if name in view.partners else ()
            assert [each["id"] for each in result] == ids(view.shop.vouchers, visible)


async def test_a_purchase_is_for_the_callers_own_partner(
    new_shops: tuple[Shop, Shop], asking: httpx.AsyncClient
) -> None:
    for view in views(new_shops):
        for name in ("Acme", "Globex"):
            body = request(partnerName=name, programName="Open", quantity=1)
            answer = await asking.post(f"{ROOT}/purchases", headers=view.headers, json=body)
            if name not in view.partners:
                assert status_and_body(answer) == validation_failed(f"partnerName was not found: '{name}'.")
                continue
            organization = View(view.shop, view.shop.headers[""], (), ())
            code = answer.json()["voucherPurchaseCode"]
            assert await list_records(asking, organization, f"/purchases?purchaseCode={code}") == [answer.json()]
            assert answer.json()["partnerName"] == name


async def test_a_program_that_is_not_open_to_the_callers_partner_is_not_found(
    asking: httpx.AsyncClient, shops: tuple[Shop, Shop]
) -> None:
    for view in views(shops):
        own = view.partners[0]
        for name in set(view.shop.programs) - set(view.programs):
            body = request(partnerName=own, programName=name)
            answer = await asking.post(f"{ROOT}/purchases", headers=view.headers, json=body)
            assert status_and_body(answer) == validation_failed(f"programName was not found: '{name}'.")


async def test_what_only_another_organization_has_is_not_found(
    resources: Resources, new_shops: tuple[Shop, Shop], asking: httpx.AsyncClient
) -> None:
    for shop, own in zip(new_shops, ("First", "Second"), strict=True):
        partner_id = await add_partner(resources, shop.tenant, own)
        program_id = await add_program(resources, shop.tenant, own)
        purchase_id = await add_purchase(resources, shop.tenant, partner_id, program_id, f"VP-{own}".upper())
        await add_vouchers(resources, shop.tenant, voucher(purchase_id, partner_id, own.upper()))
    purchases = ("/purchases?partnerName={}", "/purchases?programName={}", "/purchases?purchaseCode=VP-{}")
    paths = (
        "/partners?partnerName={}",
        "/programs?programName={}",
        *purchases,
        "?voucherCode={}",
        "?purchaseCode=VP-{}",
    )
    for shop, theirs in zip(new_shops, ("Second", "First"), strict=True):
        for path in paths:
            answer = await asking.get(ROOT + path.format(theirs), headers=shop.headers[""])
            assert status_and_body(answer) == EMPTY
        body = request(partnerName=theirs, programName=theirs)
        answer = await asking.post(f"{ROOT}/purchases", headers=shop.headers[""], json=body)
        assert status_and_body(answer) == validation_failed(
            f"partnerName was not found: '{theirs}'.", f"programName was not found: '{theirs}'."
        )
