"""GET and PUT /management/v1/retention: for how long an organization keeps data."""

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    invalid,
    problem,
)
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint

URL = f"{ROOT}/retention"
NONE = {
    "candidatesAfterDays": None,
    "tokensAfterDays": None,
    "auditAfterMonths": None,
    "redemptionsAfterMonths": None,
    "failedJobsAfterDays": None,
}


async def test_without_a_credential_it_is_401_and_without_the_right_403(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    assert (await client.get(URL)).status_code == 401
    answer = await client.put(URL, json={}, headers=await headers_without_rights(client, tenant))
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)


async def test_a_manager_without_the_right_to_persons_reads_the_periods_and_does_not_set_them(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    rights = tuple(each for each in FunctionPoint if each is not FunctionPoint.MANAGE_PERSONS)
    clerk = await add_user(resources, tenant, "clerk@example.com", function_points=rights)
    answer = await client.put(URL, json={"candidatesAfterDays": 1}, headers=clerk)
    missing = "The function point ManagePersons is required."
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", missing)
    assert status_and_body(await client.get(URL, headers=clerk)) == (200, NONE)


async def test_an_organization_keeps_everything_until_it_says_otherwise(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    assert status_and_body(await client.get(URL, headers=tenant.bearer)) == (200, NONE)
    periods = {"candidatesAfterDays": 365, "auditAfterMonths": 36, "redemptionsAfterMonths": 120}
    for body in (periods, {"tokensAfterDays": 1, "failedJobsAfterDays": 3660}):
        answer = await client.put(URL, json=body, headers=tenant.bearer)
        assert status_and_body(answer) == (200, NONE | body)
        assert status_and_body(await client.get(URL, headers=tenant.bearer)) == (200, NONE | body)
    assert status_and_body(await client.get(URL, headers=other_tenant.bearer)) == (200, NONE)
    assert [entry[2] for entry in audit_entries_of(superuser, tenant, "Retention")] == ["Updated", "Updated"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"candidatesAfterDays": 0}, ("PeriodRange", "must be an integer from 1 to 3,660, or null.")),
        ({"candidatesAfterDays": 3661}, ("PeriodRange", "must be an integer from 1 to 3,660, or null.")),
        ({"candidatesAfterDays": "30"}, ("NotInteger", "must be an integer.")),
        ({"candidatesAfterDays": 1.5}, ("NotInteger", "must be an integer.")),
        ({"candidatesAfterDays": 10**9}, ("PeriodRange", "must be an integer from 1 to 3,660, or null.")),
        ({"candidatesAfterDays": 10**30}, ("NotInteger", "must be an integer.")),
    ],
)
async def test_a_period_out_of_range_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, object], error: tuple[str, str]
) -> None:
    code, words = error
    answer = await client.put(URL, json=body, headers=tenant.bearer)
    assert status_and_body(answer) == invalid(("/candidatesAfterDays", code, f"candidatesAfterDays {words}"))
