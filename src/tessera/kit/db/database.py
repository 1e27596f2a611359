"""The database connections of one process, and units of work on them."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.actors import INSTALLATION, Actor
from tessera.kit.batching import Batcher
from tessera.kit.db import failures, schema_version
from tessera.kit.db.engine import (
    IS_DISTRIBUTED,
    LIMIT_TRANSACTION,
    STATEMENT_ERRORS,
    STATEMENT_SECONDS,
    TRANSACTION_SECONDS,
    create_engine,
)
from tessera.kit.db.readers import MAX_READERS, Readers, Row, discard
from tessera.kit.db.roles import role_of
from tessera.kit.db.schema_version import SchemaVersion
from tessera.kit.db.unit_of_work import UnitOfWork, execute_together, hold, pin_to
from tessera.kit.errors import DatabaseUnavailable, OrganizationFrozen
from tessera.kit.metrics.measurements import CONNECTIONS, MAX_CONNECTIONS, WAITING
from tessera.kit.shares import FairSlots, SlotTimeouts

READINESS_SECONDS = 2.0
# Work that is cancelled after this long has probably waited for a server that does not respond.
SILENCE_SECONDS = 10.0
# The work of a request begins at most this long after its deadline, unless its body or its turn took longer.
LATER_SECONDS = 5.0

T = TypeVar("T")


class Access(Enum):
    """What a unit of work does to its organization.

    CHANGE is for all work; if the organization is frozen, it can only read. MOVE changes a frozen organization as well.
    READ only reads, and all statements of a SNAPSHOT also see the same rows.
    """

    CHANGE = auto()
    MOVE = auto()
    READ = auto()
    SNAPSHOT = auto()


_BEGIN = {Access.READ: "BEGIN READ ONLY", Access.SNAPSHOT: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


class Database:
    """The connections of one process, as the role that row-level security applies to.

    Every unit of work and every read ends within `deadline` seconds, or raises DeadlineExceeded; None means no limit.
    Each organization uses at most `share` connections at once, and those that wait for one take turns.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        share: int | None = None,
        slot_timeouts: SlotTimeouts = SlotTimeouts(),  # noqa: B008 - immutable
        prepare_statements: bool = True,
        deadline: float | None = None,
    ) -> None:
        # Organizations wait here and not for the pool, which knows no organizations.
        self._slots: FairSlots[UUID] = FairSlots(
            pool_size, per_key=share or pool_size, timeouts=slot_timeouts, name="connections"
        )
        role = role_of(url)
        self._engine = create_engine(url, role=role, pool_size=pool_size, prepare_statements=prepare_statements)
        self._readers = Readers(
            create_engine(url, role=role, pool_size=MAX_READERS, prepare_statements=prepare_statements)
        )
        self._deadline = deadline
        self._versions = Batcher(self._fetch_versions, max_concurrency=1)

    def measure(self) -> None:
        """Let the measurements of this process include its connections for units of work."""
        slots = self._slots
        MAX_CONNECTIONS.read_from(lambda: slots.size)
        CONNECTIONS.read_from(lambda: slots.in_use)
        WAITING.read_from(lambda: slots.waiting)

    def within(self, deadline: float | None) -> "Database":
        """The same connections with another deadline."""
        database = copy.copy(self)
        database._deadline = deadline
        return database

    @asynccontextmanager
    async def unit_of_work(
        self,
        organization_id: UUID,
        *,
        partner_id: UUID | None = None,
        actor: Actor = INSTALLATION,
        settings: Mapping[str, str] | None = None,
        access: Access = Access.CHANGE,
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees only one organization; commits at the end, rolls back on any exception.

        With `partner_id` it sees only that voucher partner. Changes are attributed to `actor`; `settings` maps database
        settings to their values in this transaction. Raises DatabaseUnavailable, DeadlineExceeded, TooManyRequests if
        the organization uses its share of the connections, TransactionAborted if the database has rolled the
        transaction back, and OrganizationFrozen for a change of a frozen organization.
        """
        async with self._bounded(self._deadline), self._slots.slot(organization_id):
            statements = [_BEGIN.get(access, "BEGIN"), pin_to(organization_id)]
            if partner_id is not None:
                statements.append(f"SET LOCAL app.partner_id = '{partner_id}'")
            statements += _time_limits(self._deadline)
            statements += [f"SET LOCAL {name} = '{value}'" for name, value in (settings or {}).items()]
            if access is Access.CHANGE:
                statements.append(hold(organization_id))
            connection = await _retry_on_stale_connection(lambda: self._begin(*statements))
            async with _released(connection), _raising_frozen(connection):
                yield UnitOfWork(connection, organization_id, partner_id, actor)
                await _commit(connection)

    async def fetch(self, query: str, params: Mapping[str, Any], /) -> list[Row]:
        """All rows of one statement, executed outside any transaction, with no tenant pinned.

        The statement must use SQL functions that check credentials. It must change nothing, because it may run twice.
        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        async with self._bounded(self._deadline):
            try:
                return await self._readers.fetch(query, params)
            except psycopg.OperationalError as error:
                if not failures.is_lost(error):
                    raise
                await self.drop_connections()
                return await self._readers.fetch(query, params)

    @asynccontextmanager
    async def _bounded(self, deadline: float | None) -> AsyncIterator[None]:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(deadline) as timeout:
                yield
        except asyncio.CancelledError:
            # The deadline of a request begins before that of its work, and is as long. Work with a longer limit, such
            # as an import, may be cancelled at any time because its caller has left.
            seconds = asyncio.get_running_loop().time() - began
            if deadline is not None and deadline - LATER_SECONDS <= seconds >= SILENCE_SECONDS:
                await self.drop_connections()
            raise
        except Exception as error:
            domain_error = failures.domain_error(error)
            if domain_error is None or (isinstance(error, TimeoutError) and not timeout.expired()):
                raise
            # A server that responds ends every statement within STATEMENT_SECONDS.
            is_silent = isinstance(error, TimeoutError) and deadline is not None and deadline >= STATEMENT_SECONDS
            if is_silent or failures.is_lost(error):
                await self.drop_connections()
            raise domain_error from error

    async def drop_connections(self) -> None:
        """Close all idle connections, because their server is gone, or may no longer be the one that takes writes."""
        # If one connection is dead, so are the others that are idle. Each would otherwise cost a request its deadline.
        # Connections in use notice it themselves, and are not returned to the pool.
        await self._readers.drop()
        await self._engine.dispose()

    async def schema_version(self) -> SchemaVersion:
        """The version of the schema, read over the pool of the requests within two seconds.

        Concurrent calls share one query. Raises DatabaseUnavailable, DeadlineExceeded.
        """
        return await self._versions.submit(None)

    async def _fetch_versions(self, requests: Sequence[None]) -> Sequence[SchemaVersion]:
        async with self._bounded(READINESS_SECONDS):
            connection = await _retry_on_stale_connection(lambda: self._begin("BEGIN"))
            async with _released(connection):
                row = (await connection.exec_driver_sql(schema_version.QUERY)).first()
                return [schema_version.from_row(row)] * len(requests)

    async def close(self) -> None:
        """Close all connections."""
        await self.drop_connections()

    async def _begin(self, *statements: str) -> AsyncConnection:
        connection = await self._engine.connect()
        if connection.info.get(IS_DISTRIBUTED):
            # Citus finds the node of an organization by its id, which a generic plan does not contain.
            statements += ("SET LOCAL plan_cache_mode = 'auto'",)
        try:
            await execute_together(connection, *statements)
        except BaseException:
            await connection.close()
            raise
        return connection


def _time_limits(deadline: float | None) -> Sequence[str]:
    """Statements for a transaction that may take longer than the limits of the session."""
    if deadline is not None and deadline <= STATEMENT_SECONDS:
        return []
    limit = f"{deadline or 0:g}s"
    limits = {"statement_timeout": limit, "lock_timeout": limit, "idle_in_transaction_session_timeout": "10min"}
    # The deadline comes first, because only it gives an answer that says what happened.
    longest = f"{deadline + TRANSACTION_SECONDS - STATEMENT_SECONDS:g}s" if deadline else "0"
    return [
        *(f"SET LOCAL {name} = '{value}'" for name, value in limits.items()),
        LIMIT_TRANSACTION.format(limit=longest, is_local="true"),
    ]


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except DBAPIError as error:
        if failures.may_have_committed(error):
            raise DatabaseUnavailable from error
        raise


@asynccontextmanager
async def _released(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        # A rollback would wait for a server that may not respond. A closed connection ends the transaction too.
        await discard(connection)
        raise
    finally:
        await connection.close()


@asynccontextmanager
async def _raising_frozen(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    except STATEMENT_ERRORS as error:
        if not failures.is_read_only(error):
            raise
        await connection.rollback()
        # A standby accepts no changes of any organization.
        if (await connection.exec_driver_sql("show transaction_read_only")).scalar_one() == "off":
            raise OrganizationFrozen from error
        raise


async def _retry_on_stale_connection(attempt: Callable[[], Awaitable[T]]) -> T:
    # A pooled connection may be dead, as after a restart of the database. The failed attempt has changed nothing, so a
    # second one is safe, and the pool has already discarded its other old connections.
    try:
        return await attempt()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return await attempt()
