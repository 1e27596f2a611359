"""Requests of the redemption operations, as tests send them."""

from typing import Any

import httpx
from tests.support.factories import Tenant

URL = "/storefront/v1/redemptions"
RESERVATIONS = "/storefront/v1/reservations"
CANDIDATE = {
    "personId": "P-1",
    "clientCandidateId": "C-1",
    "firstName": "Ada",
    "lastName": "Byron",
    "email": "ada@example.com",
}


def body(code: str = "SPRING", reservation: str = "RSV-1", **more: Any) -> dict[str, Any]:
    """A request to redeem a code for the first exam; None takes a property away."""
    wanted = {
        "code": code,
        "reservationCode": reservation,
        "storeExamCode": "NCA-GENL",
        "candidate": CANDIDATE,
        **more,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def candidate(person: str, **more: Any) -> dict[str, Any]:
    """Another candidate."""
    return CANDIDATE | {"personId": person} | more


async def redeem(client: httpx.AsyncClient, tenant: Tenant, *code: str, **more: Any) -> httpx.Response:
    """Ask for a code and a reservation."""
    return await client.post(URL, json=body(*code, **more), headers=tenant.api_key)


async def create_redemption(client: httpx.AsyncClient, tenant: Tenant, *code: str, **more: Any) -> dict[str, Any]:
    """A redemption that is made."""
    answer = await redeem(client, tenant, *code, **more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def act(client: httpx.AsyncClient, tenant: Tenant, redemption: dict[str, Any], action: str) -> httpx.Response:
    """Confirm, release or cancel a redemption."""
    return await client.post(f"{URL}/{redemption['id']}/{action}", headers=tenant.api_key)


async def update_reservation(
    client: httpx.AsyncClient, tenant: Tenant, reservation: str, status: str, **more: Any
) -> httpx.Response:
    """Tell what became of a reservation."""
    return await client.put(f"{RESERVATIONS}/{reservation}", json={"status": status, **more}, headers=tenant.api_key)


def reasons(answer: httpx.Response) -> list[tuple[str, str]]:
    """Pointer and code of everything that is wrong."""
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
