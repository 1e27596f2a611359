"""Requests to the operations on redemptions and reservations."""

import json
from typing import Any

import httpx
import psycopg
from tests.support.factories import Tenant

from tessera.metadata import metadata

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
    """A request to redeem a code for the first exam; None removes a property."""
    properties = {
        "code": code,
        "reservationCode": reservation,
        "storeExamCode": "NCA-GENL",
        "candidate": CANDIDATE,
        **more,
    }
    return {name: value for name, value in properties.items() if value is not None}


def candidate(person: str, **more: Any) -> dict[str, Any]:
    """A candidate with this person id."""
    return CANDIDATE | {"personId": person} | more


async def redeem(client: httpx.AsyncClient, tenant: Tenant, *code: str, **more: Any) -> httpx.Response:
    """Send a request to redeem a code."""
    return await client.post(URL, json=body(*code, **more), headers=tenant.api_key)


async def create_redemption(client: httpx.AsyncClient, tenant: Tenant, *code: str, **more: Any) -> dict[str, Any]:
    """Redeem a code, which must succeed; returns the redemption."""
    answer = await redeem(client, tenant, *code, **more)
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def act(client: httpx.AsyncClient, tenant: Tenant, redemption: dict[str, Any], action: str) -> httpx.Response:
    """Confirm, release or cancel a redemption."""
    return await client.post(f"{URL}/{redemption['id']}/{action}", headers=tenant.api_key)


async def update_reservation(
    client: httpx.AsyncClient, tenant: Tenant, reservation: str, status: str, **more: Any
) -> httpx.Response:
    """Update the status of a reservation."""
    return await client.put(f"{RESERVATIONS}/{reservation}", json={"status": status, **more}, headers=tenant.api_key)


def reasons(answer: httpx.Response) -> list[tuple[str, str]]:
    """The pointer and the code of each error."""
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def copy_redemption(
    connection: psycopg.Connection[Any], tenant: Tenant, count: int, *, reservation: str, **columns: str
) -> None:
    """Add released copies of the redemption of a reservation; `{n}` in a value becomes its number in 12 digits."""
    values = {"status": "Released"} | columns
    names = ", ".join(column.name for column in metadata.tables["redemptions"].columns if column.computed is None)
    connection.execute(
        f"insert into redemptions ({names}) select {names} from (select (jsonb_populate_record(r,"
        " replace(%s, '{n}', lpad(n::text, 12, '0'))::jsonb || jsonb_build_object('id', gen_random_uuid()))).*"
        " from redemptions r, generate_series(1, %s) n where r.organization_id = %s and r.reservation_id ="
        " (select id from reservations where organization_id = %s and code = %s)) as copied",
        [json.dumps(values), count, tenant.id, tenant.id, reservation],
    )
