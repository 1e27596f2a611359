"""The right that each operation requires: a caller without it is refused, and a caller with only this right is not."""

import httpx
import pytest
from fastapi import FastAPI
from tests.support.factories import Tenant
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint

RIGHTS = {
    "/management/": FunctionPoint.MANAGE_ORGANIZATION,
    "/storefront/": FunctionPoint.STOREFRONT_REDEEM,
    "/api/vouchers": FunctionPoint.PARTNER_MANAGE_VOUCHERS,
    "/promo-codes": FunctionPoint.PARTNER_MANAGE_PROMO_CODES,
}
# Some operations accept this right instead (tests/contract/storefront/test_own_redemptions.py,
# tests/contract/management/test_voucher_assignments.py).
ALTERNATIVES = {
    FunctionPoint.STOREFRONT_REDEEM: FunctionPoint.STOREFRONT_SUPPORT,
    FunctionPoint.MANAGE_ORGANIZATION: FunctionPoint.PARTNER_ASSIGN_VOUCHERS,
}
# One is only for the platform, the other for every caller.
WITHOUT = ("/management/v1/organizations", "/management/v1/me")


def operations(app: FastAPI, prefix: str) -> list[tuple[str, str]]:
    """Method and path of the operations under a prefix, with an id that nothing has."""
    return [
        (
            method.upper(),
            "/".join("00000000-0000-7000-8000-000000000007" if "{" in part else part for part in path.split("/")),
        )
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if path.startswith(prefix) and not path.startswith(WITHOUT)
    ]


@pytest.mark.parametrize(("prefix", "right"), RIGHTS.items())
async def test_an_operation_requires_its_right_and_no_other(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant, prefix: str, right: FunctionPoint
) -> None:
    others = tuple(each for each in FunctionPoint if each not in (right, ALTERNATIVES.get(right)))
    lacking = await add_user(resources, tenant, "lacking@example.com", function_points=others)
    having = await add_user(resources, tenant, "having@example.com", function_points=(right,))
    refusal = 403 if prefix in ("/management/", "/storefront/") else 401
    refused, missing = {}, {}
    for method, path in operations(app, prefix):
        refused[method, path] = (await client.request(method, path, headers=lacking)).status_code
        answer = await client.request(method, path, headers=having)
        # Some operations also require the rights that they grant.
        missing[method, path] = answer.status_code in (401, 403) and right.value in answer.text
    assert refused
    assert refused == dict.fromkeys(refused, refusal)
    assert not any(missing.values())


def test_every_operation_with_a_credential_has_a_right_here(app: FastAPI) -> None:
    without = ("/authenticate", "/oauth/token", "/api/v1/promo-codes", "/health/")
    paths = [path for path in app.openapi()["paths"] if not path.startswith((*RIGHTS, *without))]
    assert paths == []
