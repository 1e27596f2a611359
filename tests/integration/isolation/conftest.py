"""The two locks between organizations, each of which must hold alone."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event
from tests.conftest import app_on
from tests.support.recording import rewrite_statements

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.provision import Addresses

# How every repository statement begins its criteria.
TENANT_CLAUSE = re.compile(r"[\w.]*organization_id = %\(organization_id(?:_\d+)?\)s(::UUID)?")


def without_tenant_clause(text: str) -> str:
    """The statement with nothing but row-level security to keep it in its organization."""
    return TENANT_CLAUSE.sub("true", text)


@pytest.fixture
async def superuser_database(addresses: Addresses) -> AsyncIterator[Database]:
    """The database as its superuser sees it, whom no row-level security binds."""
    database = Database(addresses.owner)

    @event.listens_for(database._engine.sync_engine, "connect")
    def become_oneself(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("set role none")
        cursor.close()

    yield database
    await database.close()


@pytest.fixture(params=["both locks", "row-level security alone", "the repositories' clause alone"])
async def guarded_client(
    request: pytest.FixtureRequest, app: FastAPI, resources: Resources, superuser_database: Database
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application: as it is, and with either lock taken away."""
    with ExitStack() as stack:
        if request.param == "row-level security alone":
            stack.enter_context(rewrite_statements(resources.database, without_tenant_clause))
        if request.param == "the repositories' clause alone":
            app = app_on(superuser_database, resources)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client
