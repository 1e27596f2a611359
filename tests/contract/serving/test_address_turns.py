"""Addresses take turns before their callers are known."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from tessera.api.serving.address_turns import TURNS_AT_ONCE

FLOOD = 10 * TURNS_AT_ONCE


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
        await send(shop, "/health/live", 200)  # waits for nothing but its turn
        await asyncio.gather(*flood)
    assert order.index("/health/live") < 2 * TURNS_AT_ONCE


async def test_an_ipv6_network_of_one_owner_has_the_turns_of_one_address(app: FastAPI) -> None:
    order: list[str] = []

    async def send(address: str) -> None:
        async with client_at(app, address) as client:
            await client.get("/nowhere")
        order.append(address)

    flood = [asyncio.create_task(send(f"2001:db8::{number:x}")) for number in range(FLOOD)]
    await send("192.0.2.2")
    await asyncio.gather(*flood)
    assert order.index("192.0.2.2") < 2 * TURNS_AT_ONCE
