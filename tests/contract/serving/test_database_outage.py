"""A database that stops and starts again: 503 in each error format, and recovery without a restart of the server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.support import factories, guard
from tests.support.factories import Tenant

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.embedded_postgres.server import EmbeddedPostgres
from tessera.settings import Settings

AWAY = "The database is not available. Try again shortly."
CERTIVERSE = {"errorCode": "ServiceUnavailable", "errorMessages": [AWAY]}


@dataclass
class Server:
    """A Postgres server that a test may stop and start."""

    directory: Path
    running: EmbeddedPostgres | None = None

    def start(self) -> EmbeddedPostgres:
        # By default the time zone is the machine's, which is seldom UTC.
        settings = {"fsync": "off", "timezone": "Asia/Tokyo"}
        self.running = self.running or embedded.start(self.directory, settings=settings)
        return self.running

    def stop(self) -> None:
        if self.running:
            self.running.stop()
            self.running = None

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with guard.place() as directory:
        result = Server(directory / "data")
        yield result
        result.stop()


@pytest.fixture(scope="module")
async def app(server: Server, settings: Settings) -> AsyncIterator[FastAPI]:
    postgres = server.start()
    owner, application = (postgres.url(user=user, database="postgres") for user in ("postgres", "tessera_app"))
    schema.migrate(owner, application)
    resources = main.create_resources(
        settings,
        provision.create_pool(settings, application),
        schema_revision=schema.latest_revision(),
        clock=lambda: NOW,
    )
    yield create_app(resources)
    await resources.database.close()


@pytest.fixture(scope="module")
async def caller(app: FastAPI) -> Tenant:
    """The calling organization, created while the database runs."""
    return await factories.create_tenant(app.state.resources, now=NOW)


@pytest.fixture
async def restartable_client(app: FastAPI, server: Server, caller: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on that database, which runs at the beginning of the test."""
    assert caller
    server.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as test_client:
        yield test_client


def list_request(caller: Tenant) -> dict[str, Any]:
    return {"method": "GET", "url": "/promo-codes", "headers": caller.bearer}


def validate_request(caller: Tenant) -> dict[str, Any]:
    return {"method": "GET", "url": "/api/v1/promo-codes?code=NONE", "headers": caller.api_key}


def authenticate_request(caller: Tenant) -> dict[str, Any]:
    return {"method": "GET", "url": "/authenticate", "auth": (caller.client.name, caller.client.secret)}


def token_request(caller: Tenant) -> dict[str, Any]:
    form = {
        "grant_type": "client_credentials",
        "client_id": caller.client.name,
        "client_secret": caller.client.secret,
    }
    return {"method": "POST", "url": "/oauth/token", "data": form}


def readiness_request(_: Tenant) -> dict[str, Any]:
    return {"method": "GET", "url": "/health/ready"}


REQUESTS = pytest.mark.parametrize(
    ("request_of", "status", "away"),
    [
        (list_request, 200, CERTIVERSE),
        (authenticate_request, 200, CERTIVERSE),
        (validate_request, 404, {"success": False, "message": AWAY}),
        (token_request, 200, {"error": "temporarily_unavailable", "error_description": AWAY}),
        (readiness_request, 200, {"status": "not ready", "database": "away", "migrations": "unknown"}),
    ],
)


@REQUESTS
async def test_an_outage_is_503_in_each_error_format_until_the_database_is_back(
    restartable_client: httpx.AsyncClient,
    server: Server,
    caller: Tenant,
    request_of: Any,
    status: int,
    away: dict[str, Any],
) -> None:
    server.stop()
    answer = await restartable_client.request(**request_of(caller))
    assert (answer.status_code, answer.json()) == (503, away)
    assert int(answer.headers["Retry-After"]) > 0
    server.start()
    assert (await restartable_client.request(**request_of(caller))).status_code == status


@REQUESTS
async def test_a_restart_between_two_requests_is_not_noticed(
    restartable_client: httpx.AsyncClient,
    server: Server,
    caller: Tenant,
    request_of: Any,
    status: int,
    away: dict[str, Any],
) -> None:
    before = await restartable_client.request(**request_of(caller))
    server.restart()
    after = await restartable_client.request(**request_of(caller))
    assert (before.status_code, after.status_code) == (status, status), f"not {away}"


async def test_a_process_without_its_database_still_lives(
    restartable_client: httpx.AsyncClient, server: Server
) -> None:
    server.stop()
    answer = await restartable_client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_a_database_behind_this_code_is_not_ready(
    restartable_client: httpx.AsyncClient, server: Server, caller: Tenant
) -> None:
    postgres = server.start()
    with psycopg.connect(postgres.url(user="postgres", database="postgres").replace("+psycopg", "")) as connection:
        connection.execute("update alembic_version set version_num = '0000'")
        connection.commit()
        answer = await restartable_client.get("/health/ready")
        connection.execute("update alembic_version set version_num = %s", [schema.latest_revision()])
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "not ready", "database": "ok", "migrations": "behind"},
    )
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_database_of_a_newer_version_is_ready_if_this_code_can_use_it(
    restartable_client: httpx.AsyncClient, server: Server, caller: Tenant
) -> None:
    postgres, states = server.start(), []
    url = postgres.url(user="postgres", database="postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        for oldest in (schema.latest_revision(), "9998"):
            connection.execute("update alembic_version set version_num = '9999'")
            connection.execute(f"comment on table alembic_version is '{oldest}'")
            answer = await restartable_client.get("/health/ready")
            states.append((answer.status_code, answer.json()["migrations"]))
        connection.execute("update alembic_version set version_num = %s", [schema.latest_revision()])
    assert states == [(200, "ok"), (503, "ahead")]


async def test_a_restart_under_many_callers_is_not_noticed(
    restartable_client: httpx.AsyncClient, server: Server, caller: Tenant
) -> None:
    async def ask_all() -> set[int]:
        requests = [list_request(caller), validate_request(caller)] * 16
        return {
            answer.status_code
            for answer in await asyncio.gather(*(restartable_client.request(**each) for each in requests))
        }

    assert await ask_all() == {200, 404}
    server.restart()
    assert await ask_all() == {200, 404}


@pytest.mark.parametrize("expiry", ["2030-01-01T00:00:00", "9999-12-31T23:59:59"])
async def test_times_are_utc_whatever_the_time_zone_of_the_server(
    restartable_client: httpx.AsyncClient, caller: Tenant, expiry: str
) -> None:
    body = {
        "storeExamCodes": ["NCA-GENL"],
        "discountPercent": 25,
        "expirationDateUtc": expiry,
        "maxRedemptions": 500,
        "promoCodeName": f"YEAR{expiry[:4]}",
    }
    await restartable_client.post("/promo-codes", headers=caller.bearer, json=body)
    listed = await restartable_client.get(f"/promo-codes?promoCodeName={body['promoCodeName']}", headers=caller.bearer)
    assert [code["expirationDateEndUtc"] for code in listed.json()["data"]] == [expiry]
