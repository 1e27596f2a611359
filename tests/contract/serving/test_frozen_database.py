"""A database that stops responding: 503 within the time limit, and recovery as soon as it responds again."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import make_url
from tests.conftest import NOW, TOKEN_KEYS
from tests.drills.wire import Wire, wired
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.freezing import data_directory_of, frozen
from tests.support.waiting import until

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.kit.db import database as kit_database
from tessera.kit.db import engine, outage_log
from tessera.kit.db.database import Database
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.errors import DeadlineExceeded
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.settings import Settings

TOO_LONG = "The request took longer than its time limit. Try again shortly."
SECONDS = 0.5


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a superuser on a server of its own, which a test may freeze."""
    directory = Path(tempfile.mkdtemp(prefix="tessera-frozen-"))
    directory.chmod(0o755)
    server = embedded.start(directory / "data", settings={"fsync": "off"})
    yield server.url(user="postgres", database="postgres")
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
async def app(postgres: str) -> AsyncIterator[FastAPI]:
    settings = Settings(token_keys=TOKEN_KEYS, pool_size=2, request_seconds=60)
    application = postgres.replace("://postgres@", "://tessera_app@")
    schema.migrate(postgres, application)
    database = provision.create_pool(settings, application)
    yield create_app(
        main.create_resources(settings, database, schema_revision=schema.latest_revision(), clock=lambda: NOW)
    )
    await database.close()


@pytest.fixture(scope="module")
async def caller(app: FastAPI) -> Tenant:
    return await factories.create_tenant(app.state.resources, now=NOW)


@contextmanager
def short_limits(app: FastAPI) -> Iterator[None]:
    """Limits that only a database which does not respond exceeds for sure."""
    resources: Resources = app.state.resources
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kit_database, "READINESS_SECONDS", SECONDS)
        patch.setattr(resources.database, "_deadline", SECONDS)
        app.state.resources = replace(resources, request_seconds=SECONDS)
        yield
        app.state.resources = resources


def requests_of(client: httpx.AsyncClient, caller: Tenant) -> list[asyncio.Task[httpx.Response]]:
    """One request of each kind: a list, a validation, a look-up through the framework, an exchange, and readiness."""
    basic = (caller.client.name, caller.client.secret)
    return [
        asyncio.ensure_future(each)
        for each in (
            client.get("/promo-codes", headers=caller.bearer),
            client.get("/api/v1/promo-codes?code=NONE", headers=caller.api_key),
            client.get("/management/v1/users", headers=caller.bearer),
            client.get("/authenticate", auth=basic),
            client.get("/health/ready"),
        )
    ]


async def test_a_frozen_database_is_503_in_time_and_serves_again_after_it_thaws(
    app: FastAPI, caller: Tenant, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_log, "log", structlog.get_logger())  # one that no earlier test has configured
    monkeypatch.setattr(outage_log, "SECONDS_BETWEEN_LINES", 60)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=60) as client:
        before = [answer.status_code for answer in await asyncio.gather(*requests_of(client, caller))]
        with frozen(data_directory_of(postgres)), short_limits(app), structlog.testing.capture_logs() as lines:
            answers = await asyncio.wait_for(asyncio.gather(*requests_of(client, caller)), 30)
        assert [answer.status_code for answer in answers] == [503] * 5
        assert answers[0].json() == {"errorCode": "ServiceUnavailable", "errorMessages": [TOO_LONG]}
        assert answers[1].json() == {"success": False, "message": TOO_LONG}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        outages = [line for line in lines if line["event"] == "database unavailable"]
        assert [line["cause"] for line in outages] == ["the time limit was exceeded"]
        after = [answer.status_code for answer in await asyncio.gather(*requests_of(client, caller))]
    assert (before, after) == ([200, 404, 200, 200, 200],) * 2


async def test_a_request_over_its_deadline_drops_all_connections_to_a_silent_server(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_database, "SILENCE_SECONDS", SECONDS / 2)
    address = make_url(postgres.replace("://postgres@", "://tessera_app@"))
    with wired(Path(str(address.query["host"]), ".s.PGSQL.5432")) as wire:
        database = Database(wire.url(str(address)), pool_size=2, deadline=SECONDS + 1)

        async def use() -> None:
            async with database.unit_of_work(new_id()) as work:
                await work.connection.exec_driver_sql("select pg_sleep(0.01)")

        await asyncio.gather(use(), use())
        wire.swallow()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(use(), SECONDS)
        wire.heal()
        await asyncio.wait_for(asyncio.gather(use(), use()), 30)
        await database.close()


@pytest.fixture
async def impatient(postgres: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Database, Wire]]:
    """A database that soon gives up a connection without an answer, and the wire to its server."""
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0)
    monkeypatch.setattr(engine, "ANSWER_SECONDS", SECONDS)
    address = make_url(postgres.replace("://postgres@", "://tessera_app@"))
    with wired(Path(str(address.query["host"]), ".s.PGSQL.5432")) as wire:
        database = Database(wire.url(str(address)), pool_size=2, deadline=60)
        yield database, wire
        await database.close()


async def test_connections_that_died_while_they_were_idle_fail_no_request(impatient: tuple[Database, Wire]) -> None:
    database, wire = impatient

    async def use() -> None:
        async with database.unit_of_work(new_id()) as work:
            await work.connection.exec_driver_sql("select pg_sleep(0.01)")
        await database.fetch("select", {})

    await asyncio.gather(use(), use())
    wire.swallow()
    wire.heal()
    await asyncio.wait_for(asyncio.gather(use(), use()), 30)


async def test_a_dead_connection_for_look_ups_shows_that_the_others_are_dead_too(
    impatient: tuple[Database, Wire],
) -> None:
    database, wire = impatient
    async with database.unit_of_work(new_id()):
        await database.fetch("select", {})
    wire.swallow()
    wire.heal()
    await asyncio.wait_for(database.fetch("select", {}), 30)
    assert "Connections in pool: 0 " in database._engine.pool.status()  # each would cost a request its time


async def test_the_end_of_long_work_whose_caller_has_left_drops_no_other_connection(
    addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_database, "SILENCE_SECONDS", 0.01)
    database = Database(addresses.application, pool_size=2, deadline=60)

    async def use(seconds: float) -> int:
        async with database.unit_of_work(new_id()) as work:
            result = await work.connection.exec_driver_sql("select pg_backend_pid(), pg_sleep(%s)", (seconds,))
            return int(result.one()[0])

    before = set(await asyncio.gather(use(0.05), use(0.05)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(use(30), 0.05)
    assert await use(0) in before
    await database.close()


async def test_a_statement_over_its_time_limit_ends_in_the_database_too(app: FastAPI, postgres: str) -> None:
    resources, marker = app.state.resources, "pg_sleep(60.25)"
    with pytest.raises(DeadlineExceeded):
        async with resources.database.within(SECONDS).unit_of_work(new_id()) as work:
            await work.connection.exec_driver_sql(f"select {marker}")
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as superuser:

        def has_ended() -> bool:
            running = (
                "select from pg_stat_activity where query like %s and pid <> pg_backend_pid() and state = 'active'"
            )
            return superuser.execute(running, [f"%{marker}%"]).fetchone() is None

        await until("the end of the statement", has_ended, seconds=20)
