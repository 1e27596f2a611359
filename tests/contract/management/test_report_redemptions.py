"""GET /management/v1/reports/redemptions: redemptions and discounts, the same before and after days are summed up."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import RIGHT_IS_MISSING, headers_without_rights, invalid, problem
from tests.support.redemption_requests import candidate, create_redemption
from tests.support.reporting import open_shop, redeem_for_days, roll_up
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources

URL = "/management/v1/reports/redemptions"


def row(key: Any, redeemed: int, cancelled: int, discount: float, name: str | None = None) -> dict[str, Any]:
    return {
        "key": str(key),
        "name": name,
        "redeemed": redeemed,
        "cancelled": cancelled,
        "net": redeemed - cancelled,
        "discount": discount,
    }


def report(by: str, *rows: dict[str, Any], first: str = "2026-05-17", until: str = "2026-06-16") -> tuple[int, Any]:
    return 200, {"by": by, "from": first, "until": until, "data": list(rows), "nextLink": None, "nextCursor": None}


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(URL)
    assert status_and_body(answer) == problem(
        401, "not-authenticated", "Authentication required", "A Bearer token is required."
    )


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(URL, headers=await headers_without_rights(client, tenant))
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)


async def test_a_partners_user_gets_nothing(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    partner = await open_shop(resources, tenant)
    headers = await add_user(resources, tenant, "p@acme.example", partner_id=partner)
    assert status_and_body(await client.get(URL, headers=headers)) == problem(
        403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING
    )


@pytest.mark.parametrize("summed_up", [False, True])
async def test_redemptions_are_summed_up_in_each_dimension(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
    clock: Clock,
    summed_up: bool,  # noqa: FBT001
) -> None:
    partner = await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    if summed_up:
        assert await roll_up(resources, tenant, now=NOW) == ["2026-06-12", "2026-06-14"]
        assert await roll_up(resources, tenant, now=NOW) == []

    async def ask(query: str) -> tuple[int, Any]:
        return status_and_body(await client.get(f"{URL}?{query}", headers=tenant.bearer))

    exams = (
        row("NCA-GENL", 3, 1, 110.0, "Exam NCA-GENL"),
        row(tenant.bundle_id, 1, 0, 10.0, "Bundle"),
    )
    assert await ask("") == report("day", row("2026-06-12", 3, 0, 120.0), row("2026-06-14", 1, 1, 0.0))
    assert await ask("by=code&reveal=true") == report("code", row("PAID", 1, 0, 100.0), row("SPRING", 3, 1, 20.0))
    assert await ask("by=StoreExam") == report("storeExam", *exams)
    assert await ask("by=partner") == report("partner", row(partner, 1, 0, 100.0, "Acme Corp"))
    days = {"first": "2026-06-13", "until": "2026-06-15"}
    query = "by=code&reveal=true&from=2026-06-13&until=2026-06-15"
    assert await ask(query) == report("code", row("SPRING", 1, 1, 0.0), **days)
    assert await ask("until=2026-06-12") == report("day", first="2026-05-13", until="2026-06-12")
    other = await client.get(URL, headers=other_tenant.bearer)
    assert status_and_body(other) == report("day")


async def test_the_day_before_is_summed_up_an_hour_after_midnight(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    assert await roll_up(resources, tenant, now=datetime.fromisoformat("2026-06-15T00:59:59Z")) == ["2026-06-12"]
    assert await roll_up(resources, tenant, now=datetime.fromisoformat("2026-06-15T01:00:00Z")) == ["2026-06-14"]


async def test_parts_are_led_to_by_links_that_keep_the_days(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    await open_shop(resources, tenant)
    for number in range(3):
        await create_redemption(client, tenant, "SPRING", f"RSV-{number}", candidate=candidate(f"P-{number}"))
        clock.advance(days=1)
    await roll_up(resources, tenant, now=clock.now.replace(hour=2, day=17))
    items, url = [], f"{URL}?limit=1"
    while url:
        answer = await client.get(url, headers=tenant.bearer)
        url = answer.json()["nextLink"]
        items += [each["key"] for each in answer.json()["data"]]
        assert (answer.json()["from"], answer.json()["until"]) == ("2026-05-20", "2026-06-19")
        assert answer.headers.get("Link") == (url and f'<{url}>; rel="next"')
        clock.advance(days=1)
    assert items == ["2026-06-15", "2026-06-16", "2026-06-17"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("&format=csv", {}),
        ("&format=CSV&limit=1", {"Accept": "application/json"}),
        ("", {"Accept": "text/csv"}),
        ("", {"Accept": "application/json;q=0.5, text/csv;q=0.9"}),
    ],
)
async def test_it_is_a_csv_file_where_one_is_asked_for(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    clock: Clock,
    query: str,
    headers: dict[str, str],
) -> None:
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    answer = await client.get(f"{URL}?by=code&reveal=true{query}", headers=tenant.bearer | headers)
    assert answer.text == ("code,name,redeemed,cancelled,net,discount\r\nPAID,,1,0,1,100.00\r\nSPRING,,3,1,2,20.00\r\n")
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"], answer.headers["Vary"]) == (
        "text/csv; charset=utf-8",
        'attachment; filename="redemptions-by-code.csv"',
        "Accept",
    )


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/csv", "text/csv;q=x", "text/csv;q=0", "text/*"])
async def test_it_is_json_otherwise(client: httpx.AsyncClient, tenant: Tenant, accept: str) -> None:
    assert status_and_body(await client.get(URL, headers=tenant.bearer | {"Accept": accept})) == report("day")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "by=month&from=2026-6-1&until=2026-02-30&format=xml&limit=0",
            [
                ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
                ("/format", "NotAmongValues", "format must be one of json, csv."),
                ("/by", "NotAmongValues", "by must be one of day, code, campaign, storeExam, partner."),
                ("/from", "NotDate", "from must be a date, such as 2026-01-31."),
                ("/until", "NotDate", "until must be a date, such as 2026-01-31."),
            ],
        ),
        (
            "from=2026-06-16",
            [("/until", "NotAfterFrom", "until must be after from, which is 2026-06-16.")],
        ),
        (
            "from=2026-06-02&until=2026-06-02&format=csv",
            [("/until", "NotAfterFrom", "until must be after from, which is 2026-06-02.")],
        ),
        ("until=0001-01-01", [("/until", "NotAfterFrom", "until must be after from, which is 0001-01-01.")]),
        ("cursor=x", [("/cursor", "NotCursor", "cursor must be a cursor from a nextLink of this list.")]),
        ("by=day&by=code", [("/by", "Repeated", "by must be given once.")]),
    ],
)
async def test_everything_that_is_wrong_is_named(
    client: httpx.AsyncClient, tenant: Tenant, query: str, errors: list[tuple[str, str, str]]
) -> None:
    assert status_and_body(await client.get(f"{URL}?{query}", headers=tenant.bearer)) == invalid(*errors)


async def test_the_whole_calendar_can_be_asked_for(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?from=0001-01-01&until=9999-12-31", headers=tenant.bearer)
    assert status_and_body(answer) == report("day", first="0001-01-01", until="9999-12-31")
