"""The role and the settings of connections, also behind a pooler in transaction mode."""

import asyncio

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from tests.support.pooling import forwards_prepared_statements, needs_pgbouncer, pooled

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.db.engine import SETTINGS, STATEMENT_SECONDS, TRANSACTION_SECONDS
from tessera.kit.db.roles import APPLICATION_ROLE
from tessera.kit.errors import DatabaseUnavailable
from tessera.provision import Addresses


async def state(database: Database) -> tuple[int, dict[str, str]]:
    """The process of Postgres that serves a transaction, and its user and settings."""
    columns = ", ".join(f"current_setting('{name}') as \"{name}\"" for name in SETTINGS)
    async with database.unit_of_work(PLATFORM_ID) as work:
        statement = text(f"select pg_backend_pid(), current_user::text, {columns}")
        pid, *values = (await work.connection.execute(statement)).one()
    return pid, dict(zip(("user", *SETTINGS), values, strict=True))


async def settings_on_another_connection(database: Database) -> dict[str, str]:
    """The user and settings on the connection with which the pooler replaces that of the first transaction."""
    first, _ = await state(database)
    for _ in range(600):
        process, settings = await state(database)
        if process != first:
            return settings
        await asyncio.sleep(0.05)
    raise AssertionError("the connection was not replaced within 30 s")


async def test_a_login_of_another_role_has_the_settings_of_the_application_in_its_session(addresses: Addresses) -> None:
    database = Database(addresses.owner, pool_size=1, deadline=STATEMENT_SECONDS)
    _, settings = await state(database)
    await database.close()
    assert settings == {"user": APPLICATION_ROLE, **SETTINGS}


@pytest.mark.parametrize(
    ("deadline", "limit"), [(STATEMENT_SECONDS, TRANSACTION_SECONDS), (60, 65), (900, 905), (None, 0)]
)
async def test_a_transaction_has_a_limit_beyond_its_deadline(
    addresses: Addresses, deadline: float | None, limit: int
) -> None:
    """Without it, a client that stops in the middle of its statements would keep its locks."""
    database = Database(addresses.application, pool_size=1, deadline=deadline)
    async with database.unit_of_work(PLATFORM_ID) as work:
        query = "select setting::int / 1000 from pg_settings where name = 'transaction_timeout'"
        seconds = await work.connection.scalar(text(query))
    await database.close()
    if seconds is None:
        pytest.skip("Postgres has no such limit before version 17")
    assert seconds == limit


async def test_a_transaction_with_a_longer_limit_outlives_that_of_its_session(addresses: Addresses) -> None:
    database = Database(addresses.application, pool_size=1, deadline=60)
    shorten = "select set_config('transaction_timeout', '500ms', false) from pg_settings where name = :name"
    async with database.unit_of_work(PLATFORM_ID) as work:
        await work.connection.execute(text(shorten), {"name": "transaction_timeout"})
    async with database.unit_of_work(PLATFORM_ID) as work:
        await work.connection.execute(text("select pg_sleep(0.8)"))
    await database.close()


@needs_pgbouncer
async def test_a_connection_of_the_pooler_that_is_replaced_keeps_the_role_and_its_settings(
    addresses: Addresses,
) -> None:
    with pooled(addresses.application) as application:
        database = Database(
            application, pool_size=1, prepare_statements=forwards_prepared_statements(), deadline=STATEMENT_SECONDS
        )
        settings = await settings_on_another_connection(database)
        await database.close()
    assert settings == {"user": APPLICATION_ROLE, **SETTINGS}


@needs_pgbouncer
async def test_a_login_of_another_role_is_refused_behind_a_pooler_that_drops_startup_options(
    addresses: Addresses,
) -> None:
    with pooled(addresses.owner, ignore_startup_parameters="options") as owner:
        database = Database(owner, pool_size=1, prepare_statements=False)
        with capture_logs() as lines, pytest.raises(DatabaseUnavailable):
            await state(database)
        await database.close()
    assert [line["role"] for line in lines if "role" in line] == ["postgres"]
