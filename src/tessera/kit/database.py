"""The database: tables' base, connections, and units of work pinned to one tenant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import URL, DateTime, MetaData, Row, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tessera.kit.errors import DatabaseUnavailable

APPLICATION_ROLE = "tessera_app"
OWNER_ROLE = "tessera_owner"


class Base(DeclarativeBase):
    """Base of all tables; constraints get predictable names, because errors are mapped by them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pk",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "fk": "%(table_name)s_%(column_0_N_name)s_fk",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )


Timestamp = DateTime(timezone=True)
AnyRow = Row[*tuple[Any, ...]]
Connection = AsyncConnection


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction, pinned to one organization."""

    connection: AsyncConnection
    organization_id: UUID

    async def pin_partner(self, partner_id: UUID) -> None:
        """Narrow the rest of this transaction to one voucher partner."""
        await self.connection.exec_driver_sql(f"SET LOCAL app.partner_id = '{partner_id}'")

    async def driver_connection(self) -> psycopg.AsyncConnection[Any]:
        """The psycopg connection under this unit of work, for what must join its transaction."""
        raw = await self.connection.get_raw_connection()
        connection: psycopg.AsyncConnection[Any] = raw.driver_connection  # type: ignore[assignment]
        return connection


class Database:
    """Connections of one process to the database, as the role that row-level security binds."""

    def __init__(self, url: str, *, pool_size: int = 10, prepare_statements: bool = True) -> None:
        self._engine = create_engine(
            url, role=APPLICATION_ROLE, pool_size=pool_size, prepare_statements=prepare_statements
        )

    @asynccontextmanager
    async def unit_of_work(self, organization_id: UUID) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees one organization alone; commits at the end, rolls back on any exception.

        Raises DatabaseUnavailable when the database is away.
        """
        async with _availability():
            connection = await self._begin(f"BEGIN; SET LOCAL app.organization_id = '{organization_id}'")
            try:
                yield UnitOfWork(connection, organization_id)
                await connection.commit()
            finally:
                await connection.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside any transaction and any tenant, for functions that guard themselves.

        Raises DatabaseUnavailable when the database is away.
        """
        async with _availability(), self._engine.connect() as connection:
            yield connection

    async def schema_revision(self) -> str | None:
        """The last migration that the database has seen; raises DatabaseUnavailable."""
        async with self.connection() as connection:
            found = await connection.exec_driver_sql("select version_num from alembic_version")
            return found.scalar_one_or_none()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def _begin(self, statement: str) -> AsyncConnection:
        # A connection may have died in the pool, as after a restart of the database. Nothing has been done on it yet,
        # so a second try is safe; the pool has thrown away its other old connections by then.
        try:
            return await self._try_to_begin(statement)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return await self._try_to_begin(statement)

    async def _try_to_begin(self, statement: str) -> AsyncConnection:
        connection = await self._engine.connect()
        try:
            await connection.exec_driver_sql(statement)
        except BaseException:
            await connection.close()
            raise
        return connection


@asynccontextmanager
async def _availability() -> AsyncIterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError) as error:
        raise DatabaseUnavailable from error


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
    return create_async_engine(
        with_driver(url), pool_size=pool_size, max_overflow=0, pool_timeout=10, connect_args=arguments
    )


def with_driver(url: str) -> URL:
    """The address with our driver named, whatever spelling of Postgres it came with."""
    return make_url(url).set(drivername="postgresql+psycopg")
