"""The database connections of one process, and units of work on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.actors import INSTALLATION, Actor
from tessera.kit.db.engine import APPLICATION_ROLE, create_engine
from tessera.kit.db.unit_of_work import Reader, UnitOfWork, driver_of
from tessera.kit.errors import DatabaseUnavailable, TransactionAborted

MAX_READERS = 4

T = TypeVar("T")

# A deadlock, a serialization failure, a lock timeout, a statement timeout.
_ABORTED = frozenset({"40P01", "40001", "55P03", "57014"})
_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)


class Database:
    """The connections of one process, as the role that row-level security applies to."""

    def __init__(self, url: str, *, pool_size: int = 10, prepare_statements: bool = True) -> None:
        self._engine = create_engine(
            url, role=APPLICATION_ROLE, pool_size=pool_size, prepare_statements=prepare_statements
        )
        # A few dedicated connections stay checked out, because checking one out and returning it takes longer than
        # the single statement of a reader.
        self._readers = create_engine(
            url, role=APPLICATION_ROLE, pool_size=MAX_READERS, prepare_statements=prepare_statements
        )
        self._idle_readers: list[tuple[AsyncConnection, Reader]] = []
        # Readers wait here and not for the pool, because these connections never return to it.
        self._reader_turns = asyncio.Semaphore(MAX_READERS)

    @asynccontextmanager
    async def unit_of_work(
        self,
        organization_id: UUID,
        *,
        partner_id: UUID | None = None,
        actor: Actor = INSTALLATION,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees only one organization; commits at the end, rolls back on any exception.

        With `partner_id` it sees only that voucher partner. Changes are attributed to `actor`; `settings` maps database
        settings to their values in this transaction. Raises DatabaseUnavailable, and TransactionAborted if the database
        has rolled the transaction back.
        """
        async with _map_driver_errors():
            statement = f"BEGIN; SET LOCAL app.organization_id = '{organization_id}'"
            if partner_id is not None:
                statement += f"; SET LOCAL app.partner_id = '{partner_id}'"
            statement += "".join(f"; SET LOCAL {name} = '{value}'" for name, value in (settings or {}).items())
            connection = await _retry_on_stale_connection(lambda: self._begin(statement))
            try:
                yield UnitOfWork(connection, organization_id, partner_id, actor)
                await connection.commit()
            finally:
                await connection.close()

    async def read(self, query: Callable[[Reader], Awaitable[T]]) -> T:
        """Run `query` outside any transaction, with no tenant pinned; it must use SQL functions that check credentials.

        `query` receives the driver's own connection. It must change nothing, because it may run twice. Raises
        DatabaseUnavailable.
        """
        try:
            async with self._reader_turns:
                try:
                    return await self._read_once(query)
                except psycopg.OperationalError:
                    await self._drop_readers()
                    return await self._read_once(query)
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    async def _read_once(self, query: Callable[[Reader], Awaitable[T]]) -> T:
        connection, reader = self._idle_readers.pop() if self._idle_readers else await self._connect_reader()
        try:
            result = await query(reader)
        except BaseException:
            await _discard(connection)
            raise
        self._idle_readers.append((connection, reader))
        return result

    async def _connect_reader(self) -> tuple[AsyncConnection, Reader]:
        connection = await self._readers.connect()
        return connection, await driver_of(connection)

    async def _drop_readers(self) -> None:
        # After a restart of the database, all idle connections are dead, not only the failed connection.
        idle, self._idle_readers = self._idle_readers, []
        for connection, _ in idle:
            await _discard(connection)
        await self._readers.dispose()

    async def schema_revision(self) -> str | None:
        """The revision of the database's schema; raises DatabaseUnavailable."""

        async def query(reader: Reader) -> str | None:
            row = await (await reader.execute("select version_num from alembic_version")).fetchone()
            return row[0] if row else None

        return await self.read(query)

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


async def _discard(connection: AsyncConnection) -> None:
    # The pool of the connection may already be disposed of, and such a pool does not close a returned connection.
    await connection.invalidate()
    await connection.close()


async def _retry_on_stale_connection(attempt: Callable[[], Awaitable[T]]) -> T:
    # A pooled connection may be dead, as after a restart of the database. The failed attempt has changed nothing, so a
    # second one is safe, and the pool has already discarded its other old connections.
    try:
        return await attempt()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return await attempt()


@asynccontextmanager
async def _map_driver_errors() -> AsyncIterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        raise (TransactionAborted if state in _ABORTED else DatabaseUnavailable) from error
