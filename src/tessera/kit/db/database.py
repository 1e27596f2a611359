"""The database: tables' base, connections, and units of work pinned to one tenant."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy import URL, DateTime, MetaData, Row, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tessera.kit.actors import INSTALLATION, Actor
from tessera.kit.errors import DatabaseUnavailable, Undone

APPLICATION_ROLE = "tessera_app"
OWNER_ROLE = "tessera_owner"
MAX_READERS = 4


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
T = TypeVar("T")

# A deadlock, a conflict of serializable transactions, a lock or a statement that took too long.
_UNDONE = frozenset({"40P01", "40001", "55P03", "57014"})
_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)

AnyRow = Row[*tuple[Any, ...]]
Connection = AsyncConnection
Reader = psycopg.AsyncConnection[Any]
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


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction, pinned to one organization, and to one of its voucher partners for that partner's users."""

    connection: AsyncConnection
    organization_id: UUID
    partner_id: UUID | None = None
    actor: Actor = INSTALLATION

    def acting_as(self, actor: Actor) -> "UnitOfWork":
        """The rest of this transaction, attributed to this actor."""
        return replace(self, actor=actor)

    async def narrowed_to(self, partner_id: UUID) -> "UnitOfWork":
        """The rest of this transaction, pinned to one voucher partner as well."""
        await self.connection.exec_driver_sql(f"SET LOCAL app.partner_id = '{partner_id}'")
        return replace(self, partner_id=partner_id)

    @asynccontextmanager
    async def pinned_to(self, organization_id: UUID) -> AsyncIterator["UnitOfWork"]:
        """A part of this transaction inside another organization; what raises in there ends the whole of it."""
        await self._pin(organization_id)
        yield replace(self, organization_id=organization_id)
        await self._pin(self.organization_id)

    async def _pin(self, organization_id: UUID) -> None:
        await self.connection.exec_driver_sql(f"SET LOCAL app.organization_id = '{organization_id}'")

    async def driver_connection(self) -> psycopg.AsyncConnection[Any]:
        """The psycopg connection under this unit of work, for what must join its transaction."""
        return await driver_of(self.connection)


class Database:
    """Connections of one process to the database, as the role that row-level security binds."""

    def __init__(self, url: str, *, pool_size: int = 10, prepare_statements: bool = True) -> None:
        self._engine = create_engine(
            url, role=APPLICATION_ROLE, pool_size=pool_size, prepare_statements=prepare_statements
        )
        # A few connections of their own, kept at hand: taking one from the pool and giving it back costs more than the
        # one statement that is sent over it.
        self._readers = create_engine(
            url, role=APPLICATION_ROLE, pool_size=MAX_READERS, prepare_statements=prepare_statements
        )
        self._idle_readers: list[tuple[AsyncConnection, Reader]] = []
        # They never go back to their pool, so nobody may wait there for one.
        self._reader_turns = asyncio.Semaphore(MAX_READERS)

    @asynccontextmanager
    async def unit_of_work(
        self, organization_id: UUID, *, actor: Actor = INSTALLATION, local: Mapping[str, str] | None = None
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees one organization alone; commits at the end, rolls back on any exception.

        Its changes are attributed to `actor`; `local` are settings of the database for this transaction. Raises
        DatabaseUnavailable when the database is away, Undone where it has given the transaction up.
        """
        async with _availability():
            statement = f"BEGIN; SET LOCAL app.organization_id = '{organization_id}'"
            statement += "".join(f"; SET LOCAL {name} = '{value}'" for name, value in (local or {}).items())
            connection = await _again_if_stale(lambda: self._begin(statement))
            try:
                yield UnitOfWork(connection, organization_id, actor=actor)
                await connection.commit()
            finally:
                await connection.close()

    async def read(self, ask: Callable[[Reader], Awaitable[T]]) -> T:
        """What `ask` reads outside any transaction and any tenant, from functions that guard themselves.

        It is given the driver's own connection, and may be asked twice, so it must change nothing. Raises
        DatabaseUnavailable when the database is away.
        """
        try:
            async with self._reader_turns:
                try:
                    return await self._ask(ask)
                except psycopg.OperationalError:
                    await self._drop_readers()
                    return await self._ask(ask)
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    async def _ask(self, ask: Callable[[Reader], Awaitable[T]]) -> T:
        connection, reader = self._idle_readers.pop() if self._idle_readers else await self._connect_reader()
        try:
            answer = await ask(reader)
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        self._idle_readers.append((connection, reader))
        return answer

    async def _connect_reader(self) -> tuple[AsyncConnection, Reader]:
        connection = await self._readers.connect()
        return connection, await driver_of(connection)

    async def _drop_readers(self) -> None:
        # As after a restart of the database: whatever lay idle is as dead as the one that failed.
        idle, self._idle_readers = self._idle_readers, []
        for connection, _ in idle:
            await connection.close()
        await self._readers.dispose()

    async def schema_revision(self) -> str | None:
        """The last migration that the database has seen; raises DatabaseUnavailable."""

        async def ask(reader: Reader) -> str | None:
            row = await (await reader.execute("select version_num from alembic_version")).fetchone()
            return row[0] if row else None

        return await self.read(ask)

    async def close(self) -> None:
        """Close all connections."""
        await self._drop_readers()
        await self._engine.dispose()

    async def _begin(self, statement: str) -> AsyncConnection:
        connection = await self._engine.connect()
        try:
            await connection.exec_driver_sql(statement)
        except BaseException:
            await connection.close()
            raise
        return connection


async def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection under SQLAlchemy's."""
    raw = await connection.get_raw_connection()
    driver: psycopg.AsyncConnection[Any] = raw.driver_connection  # type: ignore[assignment]
    return driver


async def _again_if_stale(attempt: Callable[[], Awaitable[T]]) -> T:
    # A connection may have died in the pool, as after a restart of the database. An attempt has changed nothing by
    # then, so a second one is safe; the pool has thrown away its other old connections meanwhile.
    try:
        return await attempt()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return await attempt()


@asynccontextmanager
async def _availability() -> AsyncIterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        raise (Undone if state in _UNDONE else DatabaseUnavailable) from error


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
