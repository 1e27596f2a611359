"""The connections of one process to the database, and the units of work on them."""

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
from tessera.kit.db.engine import APPLICATION_ROLE, create_engine, driver_of
from tessera.kit.db.unit_of_work import Reader, UnitOfWork
from tessera.kit.errors import DatabaseUnavailable, TransactionAborted

MAX_READERS = 4


T = TypeVar("T")

# A deadlock, a conflict of serializable transactions, a lock or a statement that took too long.
_ABORTED = frozenset({"40P01", "40001", "55P03", "57014"})
_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)


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
        self,
        organization_id: UUID,
        *,
        partner_id: UUID | None = None,
        actor: Actor = INSTALLATION,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees one organization alone; commits at the end, rolls back on any exception.

        With `partner_id` it sees only that voucher partner. Its changes are attributed to `actor`; `settings` are
        settings of Postgres for this transaction. Raises
        DatabaseUnavailable when the database is away, TransactionAborted where it has given the transaction up.
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


async def _retry_on_stale_connection(attempt: Callable[[], Awaitable[T]]) -> T:
    # A connection may have died in the pool, as after a restart of the database. An attempt has changed nothing by
    # then, so a second one is safe; the pool has thrown away its other old connections meanwhile.
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
