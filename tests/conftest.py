"""A real Postgres with one database per test process, and the real application on it.

Every test creates its own organizations, so that all tests share one database and commit for real.
"""

import gc
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from playwright.async_api import BrowserContext, async_playwright
from psycopg import sql
from sqlalchemy import make_url

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.resources import Resources
from tessera.api.serving.server import DEFAULT_LIMITS
from tessera.kit.db.database import Database
from tessera.kit.embedded_postgres import server as embedded
from tessera.provision import Addresses
from tessera.settings import Settings
from tests.support import citus, documented, factories, guard, tenant_clauses
from tests.support.browsing import ARGUMENTS, CHROMIUM
from tests.support.factories import Tenant
from tests.support.live import serving
from tests.support.pooling import forwards_prepared_statements, pooled
from tests.support.templates import create_copy

TOKEN_KEYS = {"test": "a-signing-key-of-the-tests-alone-0123456789"}
TOKEN_KEYS_SETTING = {"TESSERA_TOKEN_KEYS": ",".join(f"{kid}:{secret}" for kid, secret in TOKEN_KEYS.items())}
# Tests share names that nobody has, guess often, and use all connections for one organization. Tests of these limits
# have applications of their own.
NO_LIMITS: Any = {
    "allowed_hosts": ["testserver"],
    "misses_per_minute": 1_000_000,
    "misses_burst": 1_000_000,
    "wrong_secrets_per_minute": 1_000_000,
    "organization_share_percent": 100,
    "share_wait_seconds": 60,
}
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
GUARD = pytest.StashKey[subprocess.Popen[bytes]]()
# The files that take the most time, longest first, and the directories with the next ones.
SLOWEST = ("test_schemathesis", "test_serving", "test_docs_page", "test_storefront_page", "test_redemption_life_cycle")
SLOW = {"concurrency", "cli", "document", "demo", "plans", "migrations"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pgbouncer`."""
    parser.addoption("--pgbouncer", action="store_true", help="put PgBouncer between the application and Postgres")


def pytest_configure(config: pytest.Config) -> None:
    """Let a guard end what this run leaves running, however it ends, and log exceptions as the product does."""
    gc.set_threshold(10_000, 20, 20)  # modules and tests stay, and most other objects are freed at once
    # By default, structlog shows the values of local variables, which takes most of a second for each exception.
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        config.stash[GUARD] = guard.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first, so that no process ends long before the others; all ids must differ."""
    items.sort(key=_place_in_order)
    for item in items:
        if {"plans", "array_plans"}.intersection(item.path.parts):
            item.add_marker(citus.plain_postgres_only("its coordinator shows no plan of a node as Postgres does"))
    repeated = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if repeated:
        raise pytest.UsageError(f"more than one test has the id {', '.join(repeated)}")


def _place_in_order(item: pytest.Item) -> int:
    if item.path.stem in SLOWEST:
        return SLOWEST.index(item.path.stem)
    return len(SLOWEST) + (not SLOW.intersection(item.path.parts))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from examining the modules and tests again and again."""
    gc.freeze()


tenant_clauses.observe()


@pytest.fixture(autouse=True)
def _every_statement_names_the_organization() -> Iterator[None]:
    """Fail a test whose application sends a statement that only row-level security limits to the organization."""
    yield
    assert tenant_clauses.take_violations() == {}


@dataclass
class Clock:
    """The application's time, which a test may set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a superuser's login, on the Postgres of TESSERA_DATABASE_URL or on one that all workers share."""
    outside = os.environ.get("TESSERA_DATABASE_URL") or citus.COORDINATOR
    if outside:
        yield outside
        return
    # These tests need no durability and no standby; tests that kill the server start another one.
    settings = {
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "shared_buffers": "256MB",
        "jit": "off",
        "autovacuum_naptime": "1min",
        "max_connections": "300",
    }
    directory = os.environ.get("DIRECTORY_OF_SHARED_POSTGRES") or tempfile.gettempdir()
    server = embedded.start(Path(directory, "postgres-of-tests"), settings=settings)
    yield server.url(user="postgres", database="postgres")
    server.stop()


@pytest.fixture(scope="session")
def addresses(cluster: str) -> Iterator[Addresses]:
    """A migrated database of this test process."""
    with migrated_database(cluster, "test") as found:
        yield found


@contextmanager
def migrated_database(cluster: str, purpose: str) -> Iterator[Addresses]:
    """A migrated database for one purpose of this test process, dropped at the end."""
    name = f"tessera_{purpose}_{os.environ.get('PYTEST_XDIST_WORKER', 'only')}_{os.getpid()}"
    admin_url, is_outside = make_url(cluster), bool(os.environ.get("TESSERA_DATABASE_URL"))

    def addresses_of(database: str) -> Addresses:
        owner = admin_url.set(database=database)
        application = owner if is_outside else owner.set(username="tessera_app")
        return Addresses(
            application=application.render_as_string(hide_password=False),
            owner=owner.render_as_string(hide_password=False),
        )

    result = addresses_of(name)
    if citus.COORDINATOR:
        with citus.migrated_database(result):
            yield result
        return
    login = admin_url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(login, autocommit=True) as admin:
        if is_outside:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            schema.migrate(result.owner, result.application)
        else:
            create_copy(admin, name, addresses_of)
        yield result
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def application_addresses(addresses: Addresses, request: pytest.FixtureRequest) -> Iterator[Addresses]:
    """The addresses for the application, through PgBouncer with `--pgbouncer`; workers need direct connections."""
    if not request.config.getoption("--pgbouncer"):
        yield addresses
        return
    with pooled(addresses.application) as application:
        yield replace(addresses, application=application)


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    prepare_statements = not request.config.getoption("--pgbouncer") or forwards_prepared_statements()
    limits = {"pool_size": 8, "request_seconds": 60, **NO_LIMITS}
    return Settings(token_keys=TOKEN_KEYS, prepare_statements=prepare_statements, **limits)


@pytest.fixture(scope="session")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(shared_clock: Clock) -> Iterator[Clock]:
    """The application's clock, which is reset after the test."""
    yield shared_clock
    shared_clock.now = NOW


@pytest.fixture(scope="session")
async def resources(
    settings: Settings, application_addresses: Addresses, shared_clock: Clock
) -> AsyncIterator[Resources]:
    async with opened_resources(settings, application_addresses, shared_clock) as found:
        yield found


@asynccontextmanager
async def opened_resources(settings: Settings, addresses: Addresses, clock: Clock) -> AsyncIterator[Resources]:
    """The resources of an application on this database."""
    database = provision.create_pool(settings, addresses.application)
    try:
        yield main.create_resources(settings, database, schema_revision=schema.latest_revision(), clock=clock)
    finally:
        await database.close()


def own_database(purpose: str) -> tuple[Any, Any, Any]:
    """The fixtures `addresses`, `resources` and `app` of a database of its own, for one module or directory."""

    @pytest.fixture(scope="session")
    def addresses(cluster: str) -> Iterator[Addresses]:
        with migrated_database(cluster, purpose) as found:
            yield found

    @pytest.fixture(scope="session")
    async def resources(settings: Settings, addresses: Addresses, shared_clock: Clock) -> AsyncIterator[Resources]:
        async with opened_resources(settings, addresses, shared_clock) as found:
            yield found

    @pytest.fixture(scope="session")
    def app(resources: Resources) -> FastAPI:
        return create_app(resources, trusted_proxies=["127.0.0.1"])

    return addresses, resources, app


def app_on(database: Database, resources: Resources) -> FastAPI:
    """The same application, including its request coalescing, on another connection to its database."""
    settings, revision = Settings(token_keys=TOKEN_KEYS, **NO_LIMITS), resources.schema_revision
    return create_app(main.create_resources(settings, database, schema_revision=revision, clock=resources.clock))


@pytest.fixture(scope="session")
def app(resources: Resources) -> FastAPI:
    return create_app(resources, trusted_proxies=["127.0.0.1"])


@pytest.fixture(scope="session")
def live_url(settings: Settings, application_addresses: Addresses) -> Iterator[str]:
    with serving_at_now(settings, application_addresses) as url:
        yield url


@contextmanager
def serving_at_now(
    settings: Settings,
    addresses: Addresses,
    *,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    trusted_proxies: Sequence[str] = (),
) -> Iterator[str]:
    """The real application behind a real socket, with its own event loop and connections, always at NOW."""
    database = provision.create_pool(settings, addresses.application)
    revision = schema.latest_revision()
    resources = main.create_resources(settings, database, schema_revision=revision, clock=lambda: NOW)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    app = create_app(resources, trusted_proxies=trusted_proxies, lifespan=lifespan)
    with serving(app, limits) as url:
        yield url


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real application; its exceptions and undocumented responses fail the test."""
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
    hooks = {"response": [documented.check]}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", event_hooks=hooks) as test_client:
        yield test_client


@pytest.fixture
async def tenant(resources: Resources, clock: Clock) -> Tenant:
    """An organization with callers of every kind, three store exams and a bundle of the first two."""
    return await factories.create_tenant(resources, now=clock.now)


@pytest.fixture
async def other_tenant(resources: Resources, clock: Clock) -> Tenant:
    """Another organization with the same objects under the same names."""
    return await factories.create_tenant(resources, now=clock.now)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[BrowserContext]:
    """A Chromium browser, whose visits share one process and nothing else."""
    assert CHROMIUM, "Chromium is not installed"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield await chromium.new_context(locale="en-US")


@pytest.fixture
def superuser(addresses: Addresses) -> Iterator[psycopg.Connection]:
    """A superuser's connection, to which row-level security does not apply, to inspect the database."""
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection
