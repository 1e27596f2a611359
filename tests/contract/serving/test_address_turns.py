"""Addresses take turns before their callers are known."""

import asyncio

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.support.factories import Tenant
from tests.support.waiting import until_blocked

from tessera.api.serving.middleware import TURNS_AT_ONCE
from tessera.provision import Addresses

FLOOD = 4 * TURNS_AT_ONCE


def client_at(app: FastAPI, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 50000)), base_url="http://testserver")


@pytest.mark.parametrize(
    ("path", "status"), [("/openapi.json", 200), ("/nowhere", 404), ("/promo-codes", 401), ("/authenticate", 401)]
)
async def test_a_flood_from_one_address_does_not_delay_another_one(app: FastAPI, path: str, status: int) -> None:
    order: list[str] = []

    async def send(client: httpx.AsyncClient, path: str, status: int) -> None:
        response = await client.get(path)
        assert response.status_code == status
        order.append(path)

    async with client_at(app, "192.0.2.1") as stranger, client_at(app, "192.0.2.2") as shop:
        flood = [asyncio.create_task(send(stranger, path, status)) for _ in range(FLOOD)]
        await asyncio.sleep(0)  # the flood comes first
        await send(shop, "/health/live", 200)  # waits for nothing but its turn
        await asyncio.gather(*flood)
    assert order.index("/health/live") < 2 * TURNS_AT_ONCE


@pytest.mark.parametrize(
    ("others", "shop"),
    [("2001:db8::{:x}", "192.0.2.2"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2")],
    ids=["network of one owner", "IPv4 at a socket for both versions"],
)
async def test_an_owner_of_ipv6_addresses_has_the_turns_of_one_address(app: FastAPI, others: str, shop: str) -> None:
    order: list[str] = []

    async def send(address: str) -> None:
        async with client_at(app, address) as client:
            await client.get("/nowhere")
        order.append(address)

    flood = [asyncio.create_task(send(others.format(number))) for number in range(FLOOD)]
    await asyncio.sleep(0)  # the flood comes first
    await send(shop)
    await asyncio.gather(*flood)
    assert order.index(shop) < 2 * TURNS_AT_ONCE


async def test_requests_that_wait_for_the_database_keep_no_turn(
    app: FastAPI, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    async with client_at(app, "192.0.2.1") as shop:
        with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
            rival.execute("lock table api_keys, issued_tokens in access exclusive mode")
            waiting = [
                asyncio.create_task(shop.get("/storefront/v1/redemptions", headers=tenant.api_key))
                for _ in range(2 * TURNS_AT_ONCE)
            ]
            await until_blocked(superuser)
            async with asyncio.timeout(5):
                assert (await shop.get("/health/live")).status_code == 200
            rival.rollback()
        assert {(await each).status_code for each in waiting} == {200}
