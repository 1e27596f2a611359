"""Campaigns of promo codes through the management API: deactivation, and the report."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.ledgers import read_report
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    invalid,
    problem,
)
from tests.support.redemption_requests import act, create_redemption, update_reservation
from tests.support.reporting import roll_up
from tests.support.responses import status_and_body
from tests.support.retaining import apply, keep
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.campaigns import service
from tessera.promo_codes.rules import Status
from tessera.reports import repository
from tessera.reports import service as reports
from tessera.reports.rules import Dimension

URL = f"{ROOT}/promo-code-campaigns/deactivate"


async def deactivate(client: httpx.AsyncClient, tenant: Tenant, campaign: str, **headers: str) -> dict[str, Any]:
    answer = await client.post(URL, json={"campaign": campaign}, headers=tenant.bearer | headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
async def spring(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> Tenant:
    """A tenant with three active codes of a campaign beside others, and another tenant with the same campaign."""
    names = ("ONE", "TWO", "THREE")
    for organization in (tenant, other_tenant):
        codes = [percent_code(organization, name, campaign="Stra\u00dfe 2030") for name in names]
        codes += [
            percent_code(organization, "RETIRED", campaign="Stra\u00dfe 2030", status=Status.ARCHIVED),
            percent_code(organization, "OTHER", campaign="Stra\u00dfe"),
            percent_code(organization, "NONE"),
        ]
        await add_promo_codes(resources, organization, *codes, now=NOW)
    return tenant


async def statuses(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, str]:
    data = (await client.get(f"{ROOT}/promo-codes", headers=tenant.bearer)).json()["data"]
    return {code["name"]: code["status"] for code in data}


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, spring: Tenant) -> None:
    headers = await headers_without_rights(client, spring)
    answer = await client.post(URL, json={"campaign": "Stra\u00dfe 2030"}, headers=headers)
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)


async def test_all_active_codes_of_a_campaign_are_deactivated_with_one_entry(
    client: httpx.AsyncClient, spring: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    campaign = " STRASSE 2030 "
    assert await deactivate(client, spring, campaign) == {
        "campaign": "STRASSE 2030",
        "promoCodes": 3,
        "hasMore": False,
    }
    inactive = dict.fromkeys(("ONE", "TWO", "THREE"), "Inactive")
    others = {"RETIRED": "Archived", "OTHER": "Active", "NONE": "Active"}
    assert await statuses(client, spring) == inactive | others
    assert await statuses(client, other_tenant) == dict.fromkeys(inactive, "Active") | others
    assert (await deactivate(client, spring, campaign))["promoCodes"] == 0
    ((*_, action, before, after),) = [entry[:5] for entry in audit_entries_of(superuser, spring, service.KIND)]
    assert (action, before, after) == ("Deactivated", None, {"campaign": "STRASSE 2030", "promo_codes": 3})


async def test_a_large_campaign_takes_several_requests(
    client: httpx.AsyncClient, spring: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CODES_PER_STATEMENT", 1)
    monkeypatch.setattr(service, "MAX_CODES", 2)
    first = await deactivate(client, spring, "Stra\u00dfe 2030", **{"Idempotency-Key": "first"})
    assert first == {"campaign": "Stra\u00dfe 2030", "promoCodes": 2, "hasMore": True}
    assert await deactivate(client, spring, "Stra\u00dfe 2030", **{"Idempotency-Key": "first"}) == first
    result = await deactivate(client, spring, "Stra\u00dfe 2030")
    assert (result["promoCodes"], result["hasMore"]) == (1, False)


@pytest.mark.parametrize("campaign", ["", " \u00a0"])
async def test_an_empty_campaign_is_refused(client: httpx.AsyncClient, tenant: Tenant, campaign: str) -> None:
    answer = await client.post(URL, json={"campaign": campaign}, headers=tenant.bearer)
    assert status_and_body(answer) == invalid(("/campaign", "Required", "campaign must not be empty."))


@pytest.fixture(params=[-1, 50_000])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to read rolled-up sums."""
    monkeypatch.setattr(repository, "MAX_ROWS_BY_DAY", request.param)


@pytest.mark.usefixtures("way")
async def test_a_report_by_campaign_sums_the_codes_that_belong_to_it_now(
    client: httpx.AsyncClient,
    resources: Resources,
    spring: Tenant,
    superuser: psycopg.Connection,
    clock: Clock,
) -> None:
    made = [await create_redemption(client, spring, code, f"R-{code}") for code in ("ONE", "TWO", "OTHER", "NONE")]
    superuser.execute(
        "update promo_codes set campaign = 'STRASSE', campaign_key = 'strasse' where id = %s",
        [UUID(await id_of(client, spring, "TWO"))],
    )

    async def report(size: int) -> list[tuple[str, int, int, Decimal]]:
        return list(await read_report(resources, spring, Dimension.CAMPAIGN, date.min, date.max, size=size))

    expected = [("strasse", 2, 0, Decimal(20)), ("strasse 2030", 1, 0, Decimal(10))]
    assert [await report(size) for size in (1, 10)] == [expected] * 2
    assert await roll_up(resources, spring, now=NOW + timedelta(days=2))
    assert [await report(size) for size in (1, 10)] == [expected] * 2
    clock.advance(days=3)
    assert (await act(client, spring, made[0], "cancel")).status_code == 200
    sums = (await client.get(f"{ROOT}/reports/redemptions?by=campaign", headers=spring.bearer)).json()["data"]
    assert [(each["key"], each["redeemed"], each["cancelled"], each["net"]) for each in sums] == [
        ("STRASSE", 2, 0, 2),
        ("Stra\u00dfe 2030", 1, 1, 0),
    ]


async def test_a_use_at_midnight_belongs_to_the_day_that_begins(
    client: httpx.AsyncClient, resources: Resources, spring: Tenant, clock: Clock
) -> None:
    clock.now = (NOW + timedelta(days=1)).replace(hour=0, minute=0)
    await create_redemption(client, spring, "ONE", "RSV-1")
    today, day = clock.now.date(), timedelta(days=1)

    async def uses(first: date) -> int:
        return len(await read_report(resources, spring, Dimension.CAMPAIGN, first, first + day))

    assert [await uses(today - day), await uses(today), await uses(today + day)] == [0, 1, 0]


async def test_a_code_that_is_archived_meanwhile_stays_archived(
    client: httpx.AsyncClient, spring: Tenant, superuser: psycopg.Connection
) -> None:
    with psycopg.connect(superuser.info.dsn, password=superuser.info.password) as other:
        other.execute(
            "update promo_codes set status = 'Archived' where organization_id = %s and name = 'TWO'", [spring.id]
        )
        task = asyncio.create_task(deactivate(client, spring, "stra\u00dfe 2030"))
        await until_blocked(superuser)
        other.commit()
    assert (await task)["promoCodes"] == 2
    assert (await statuses(client, spring))["TWO"] == "Archived"


async def campaigns(resources: Resources, tenant: Tenant) -> list[tuple[str, int, int, Decimal]]:
    return list(await read_report(resources, tenant, Dimension.CAMPAIGN, date.min, date.max))


async def redeem_a_name_of_two_owners(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection, clock: Clock
) -> list[dict[str, Any]]:
    """Redeem a global code twice and then an own code of a campaign that gets its name; all on the same day."""
    platform, name = add_platform(superuser, tenant), f"G{new_id().hex[-20:]}"
    await add_promo_codes(resources, platform, percent_code(platform, name, store_exam_ids=()), now=NOW)
    uses = [await create_redemption(client, tenant, name, f"R-{number}") for number in range(2)]
    own = percent_code(tenant, name.lower(), campaign="Spring")
    await add_promo_codes(resources, tenant, own, percent_code(tenant, "UNUSED", campaign="Autumn"), now=NOW)
    assert await campaigns(resources, tenant) == []
    clock.advance(minutes=1)
    return [*uses, await create_redemption(client, tenant, name, "R-2")]


@pytest.mark.usefixtures("way")
async def test_a_report_by_campaign_leaves_out_the_global_code_that_had_the_name_before(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection, clock: Clock
) -> None:
    uses = await redeem_a_name_of_two_owners(client, resources, tenant, superuser, clock)
    for use in (*uses[:2], None):
        assert await campaigns(resources, tenant) == [("spring", 1, 0, Decimal(10))]
        await roll_up(resources, tenant, now=clock.now + timedelta(days=2))
        assert await campaigns(resources, tenant) == [("spring", 1, 0, Decimal(10))]
        clock.advance(days=3)
        if use is not None:  # its day is closed
            assert (await act(client, tenant, use, "cancel")).status_code == 200
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await reports.rebuild(work, now=clock.now)).wrong == []
    assert await campaigns(resources, tenant) == [("spring", 1, 0, Decimal(10))]


@pytest.mark.usefixtures("way")
async def test_a_report_by_campaign_leaves_out_the_dropped_redemptions_of_a_global_code(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection, clock: Clock
) -> None:
    uses = await redeem_a_name_of_two_owners(client, resources, tenant, superuser, clock)
    await act(client, tenant, uses[0], "cancel")
    for each in ("R-1", "R-2"):
        await update_reservation(client, tenant, each, "Completed")
    await roll_up(resources, tenant, now=clock.now + timedelta(days=2))
    await keep(resources, tenant, redemptions_after_months=1)
    await apply(resources, tenant, now=clock.now + timedelta(days=40))
    row = superuser.execute("select count(*) from redemptions where organization_id = %s", [tenant.id]).fetchone()
    assert row == (0,)
    for _ in range(2):
        assert await campaigns(resources, tenant) == [("spring", 1, 0, Decimal(10))]
        async with resources.database.unit_of_work(tenant.id) as work:
            assert (await reports.rebuild(work, now=clock.now + timedelta(days=41))).wrong == []


async def id_of(client: httpx.AsyncClient, tenant: Tenant, name: str) -> str:
    data = (await client.get(f"{ROOT}/promo-codes?name={name}", headers=tenant.bearer)).json()["data"]
    return str(data[0]["id"])
