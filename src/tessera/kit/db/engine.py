"""Engines: connections to Postgres that act as a given role, with the settings that every session needs."""

from typing import Any

import psycopg
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

APPLICATION_ROLE = "tessera_app"
OWNER_ROLE = "tessera_owner"

# What is raised where the database refuses a statement.
StatementRefused = (DBAPIError, psycopg.Error)


# What every connection is told once. Statements, not startup options, because poolers refuse those.
SESSION = (
    # Times come back in the session's time zone, where the last hours of the year 9999 may not exist.
    "set time zone 'UTC'; "
    # Every statement of ours finds a tenant's few rows by an index, and a list stops at its cap. The planner knows only
    # averages over all tenants, so under a LIMIT it would read whole tables, other tenants' rows first if they come
    # first. A bitmap is no better: it collects every entry that matches before the first one counts.
    "set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off; "
    "set random_page_cost = 1.1; "
    # Whatever waits that long in the middle of a transaction is stuck. And no transaction may outlive the hour after
    # which a day counts as over in reports: a redemption that was committed later would be in none of them.
    "set idle_in_transaction_session_timeout = '10min'"
)


def create_engine(url: str, *, role: str, pool_size: int = 1, prepare_statements: bool = True) -> AsyncEngine:
    """An engine whose connections act as `role`, whoever logs in.

    The driver is in autocommit mode: transactions are begun by our own statement, which pins the tenant in the same
    round trip, and are ended by the driver's commit or rollback.
    """
    arguments: dict[str, Any] = {"autocommit": True, "connect_timeout": 5, "application_name": "tessera"}
    if not prepare_statements:
        arguments["prepare_threshold"] = None
    if make_url(url).username != role:
        arguments["options"] = f"-c role={role}"
    engine = create_async_engine(
        with_driver(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        connect_args=arguments,
        hide_parameters=True,  # errors are logged with their statement, and its values may be secrets
    )
    event.listen(engine.sync_engine, "connect", _prepare_session)
    return engine


def _prepare_session(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(SESSION)
    cursor.close()


def with_driver(url: str) -> URL:
    """The address with our driver named, whatever spelling of Postgres it came with."""
    return make_url(url).set(drivername="postgresql+psycopg")


async def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection under SQLAlchemy's."""
    raw = await connection.get_raw_connection()
    driver: psycopg.AsyncConnection[Any] = raw.driver_connection  # type: ignore[assignment]
    return driver
