"""Requests to the management API, from the creation of a partner to its first voucher."""

from typing import Any

import httpx
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, if_match

PARTNERS = f"{ROOT}/voucher-partners"
PROGRAMS = f"{ROOT}/voucher-programs"
PURCHASES = f"{ROOT}/voucher-purchases"
VOUCHERS = f"{ROOT}/vouchers"
PARTNER = {"name": "Acme Corp", "isActive": True}
PROGRAM: dict[str, Any] = {
    "name": "Professional",
    "storeExamCodes": ["nca-genl"],
    "costPerVoucher": 99.5,
    "tiers": [{"quantity": 10, "percent": 5}, {"quantity": 50, "percent": 12.5}],
    "isAvailableToAllPartners": True,
    "voucherCodePrefix": "PRO-",
    "isActive": True,
}


async def create_resource(client: httpx.AsyncClient, tenant: Tenant, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create a resource, which must succeed; returns its representation."""
    answer = await client.post(url, json=body, headers=tenant.bearer)
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
    return dict(answer.json())


async def change_resource(
    client: httpx.AsyncClient, tenant: Tenant, url: str, version: int, **body: Any
) -> dict[str, Any]:
    """Change this version of a resource, which must succeed; returns the new representation."""
    answer = await client.post(url, json=body, headers=if_match(version, tenant))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.headers["ETag"]) == (version + 1, f'"{version + 1}"')
    return dict(answer.json())


async def create_purchase(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """Create a purchase by a new partner of a new program; `program` has changes of the program."""
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM | changes.pop("program", {}))
    return await create_resource(client, tenant, PURCHASES, purchase_body(partner["id"], program["id"]) | changes)


def purchase_body(partner_id: str, program_id: str) -> dict[str, Any]:
    """The body of an order of 50 vouchers."""
    return {
        "partnerId": partner_id,
        "programId": program_id,
        "quantity": 50,
        "notes": "Summer",
        "purchasedByFirstName": "Grace",
        "purchasedByLastName": "Hopper",
        "purchasedByEmail": "grace@example.com",
    }
