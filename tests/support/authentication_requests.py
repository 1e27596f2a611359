"""Credentials as clients send them."""

import base64
from typing import Any

import httpx


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def not_authenticated(message: str) -> tuple[int, dict[str, Any]]:
    return 401, {"errorCode": "NotAuthenticated", "errorMessages": [message]}


async def fetch_token(client: httpx.AsyncClient, headers: dict[str, str]) -> str:
    answer = await client.get("/authenticate", headers=headers)
    assert answer.status_code == 200
    return str(answer.json()["authToken"])
