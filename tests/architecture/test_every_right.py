"""The right that each operation requires: a caller without it is refused, and a caller with only this right is not."""

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint

PERSONS = "/management/v1/persons"
RIGHTS = {
    PERSONS: FunctionPoint.MANAGE_PERSONS,
    "/management/": FunctionPoint.MANAGE_ORGANIZATION,
    "/storefront/": FunctionPoint.STOREFRONT_REDEEM,
    "/api/vouchers": FunctionPoint.PARTNER_MANAGE_VOUCHERS,
    "/promo-codes": FunctionPoint.PARTNER_MANAGE_PROMO_CODES,
}
# The operations that accept another right instead (tests/contract/storefront/test_own_redemptions.py,
# tests/contract/management/test_voucher_assignments.py).
NOTHING = "00000000-0000-7000-8000-000000000007"  # an id
WITH_ALTERNATIVE = {
    ("GET", "/storefront/v1/redemptions"),
    ("GET", f"/storefront/v1/redemptions/{NOTHING}"),
    ("POST", f"/storefront/v1/redemptions/{NOTHING}/cancel"),
    ("GET", f"/storefront/v1/reservations/{NOTHING}"),
    ("PUT", f"/storefront/v1/reservations/{NOTHING}"),
    ("GET", f"/management/v1/voucher-purchases/{NOTHING}/assignments"),
    ("POST", f"/management/v1/voucher-purchases/{NOTHING}/assignments"),
}
# One is only for the platform, the other for every caller.
WITHOUT = ("/management/v1/organizations", "/management/v1/me")


def operations(app: FastAPI, prefix: str) -> list[tuple[str, str]]:
    """Method and path of the operations under a prefix, with an id that nothing has."""
    return [
        (
            method.upper(),
            "/".join(NOTHING if "{" in part else part for part in path.split("/")),
        )
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if path.startswith(prefix) and not path.startswith(WITHOUT)
        if prefix == PERSONS or not path.startswith(PERSONS)
    ]


@pytest.mark.parametrize(("prefix", "right"), RIGHTS.items())
async def test_an_operation_requires_its_right_and_no_other(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant, prefix: str, right: FunctionPoint
) -> None:
    others = tuple(each for each in FunctionPoint if each is not right)
    lacking = await add_user(resources, tenant, "lacking@example.com", function_points=others)
    having = await add_user(resources, tenant, "having@example.com", function_points=(right,))
    refusal = 403 if prefix in ("/management/", "/storefront/", PERSONS) else 401
    refused, missing = {}, {}
    for method, path in operations(app, prefix):
        refused[method, path] = (await client.request(method, path, headers=lacking)).status_code
        answer = await client.request(method, path, headers=having)
        # Some operations also require the rights that they grant.
        missing[method, path] = answer.status_code in (401, 403) and right.value in answer.text
    assert refused
    admitted = {operation for operation, status in refused.items() if status != refusal}
    assert admitted == {each for each in WITH_ALTERNATIVE if each[1].startswith(prefix)}
    assert not any(missing.values())


async def test_only_the_storefront_accepts_keys(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        key = await provisioning.create_key(work, name="Everything", function_points=tuple(FunctionPoint), now=NOW)
    answers = {
        (method, path): await client.request(method, path, headers={"cv-api-key": key.secret})
        for prefix in RIGHTS
        for method, path in operations(app, prefix)
    }
    admitted = {operation for operation, answer in answers.items() if answer.status_code != 401}
    assert admitted == {operation for operation in answers if operation[1].startswith("/storefront/")}


def test_every_operation_with_a_credential_has_a_right_here(app: FastAPI) -> None:
    without = ("/authenticate", "/oauth/token", "/api/v1/promo-codes", "/health/")
    paths = [path for path in app.openapi()["paths"] if not path.startswith((*RIGHTS, *without))]
    assert paths == []
