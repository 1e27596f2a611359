"""The two locks between organizations, each of which must hold without the other."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import app_on
from tests.support.citus import NEEDS_ITS_ORGANIZATION, plain_postgres_only
from tests.support.recording import rewrite_statements
from tests.support.voucher_shops import unlocked_database

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.provision import Addresses

# The first condition of every repository statement.
TENANT_CLAUSE = re.compile(r"[\w.]*organization_id = %\(organization_id(?:_\d+)?\)s(::UUID)?")


def without_tenant_clause(text: str) -> str:
    """The statement without its tenant condition, so that only row-level security limits it to the organization."""
    return TENANT_CLAUSE.sub("true", text)


@pytest.fixture(scope="session")
async def superuser_database(addresses: Addresses) -> AsyncIterator[Database]:
    """The database with a superuser's rights, to whom row-level security does not apply."""
    async with unlocked_database(addresses) as database:
        yield database


@pytest.fixture(scope="session")
def superuser_app(superuser_database: Database, resources: Resources) -> FastAPI:
    """The application on this database; the creation of an application takes as long as several tests."""
    return app_on(superuser_database, resources)


@pytest.fixture(
    params=[
        "both locks",
        pytest.param("only row-level security", marks=plain_postgres_only(NEEDS_ITS_ORGANIZATION)),
        "only the repositories' clause",
    ]
)
async def guarded_client(
    request: pytest.FixtureRequest, app: FastAPI, resources: Resources, superuser_app: FastAPI
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with both locks, and with only one of them."""
    with ExitStack() as stack:
        if request.param == "only row-level security":
            stack.enter_context(rewrite_statements(resources.database, without_tenant_clause))
        if request.param == "only the repositories' clause":
            app = superuser_app
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client
