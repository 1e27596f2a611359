"""Engines: connections to Postgres that act as a given role, with the session settings that all queries rely on."""

import asyncio
import re
from collections.abc import Coroutine, Iterable
from functools import partial
from math import inf
from typing import Any, Self, TypeVar

import psycopg
import structlog
from psycopg import _queries, waiting
from psycopg.abc import Params, PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from tessera.kit import tracing
from tessera.kit.db import hosts
from tessera.kit.db.roles import ROLE_PARAMETER

log = structlog.get_logger(__name__)

T = TypeVar("T")

# The exceptions that a statement raises if the database rejects it.
STATEMENT_ERRORS = (DBAPIError, psycopg.Error)

# The driver keeps the converted text of a statement only up to this length. The statements of the hot lists are longer
# than its own limit, and converting one anew takes a fifth of the processor time that the API needs for a page.
_queries.MAX_CACHED_STATEMENT_LENGTH = 32_768

# The longest a statement runs, unless its transaction has a longer limit.
STATEMENT_SECONDS = 15

# A client that vanishes sends nothing. With these its connections end within about ten seconds, and so do their
# transactions with their locks. Postgres ignores them for Unix sockets.
DEAD_CLIENT = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}

# The settings of each connection. The role has the same ones (migrations 0018, 0026 and 0047), for poolers, which
# reject them as startup options and lose those of a session; a login with another role has only those of its session.
SETTINGS = {
    # Times are returned in the session's time zone; in another zone, the last hours of the year 9999 may overflow.
    "TimeZone": "UTC",
    # Every statement finds the few rows of a tenant by an index, and a list stops at its cap. The planner knows only
    # averages over all tenants, so under a LIMIT it might scan whole tables, including the rows of other tenants. A
    # bitmap scan is no better: it collects all matching entries before it returns the first row.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": "10s",
    # A transaction that is idle for this long is stuck. No transaction sets more than 10 minutes: reports close a day
    # after one hour, and a redemption that commits later would be missing from all reports.
    "idle_in_transaction_session_timeout": "20s",
    # A statement ends soon after its connection was closed, because nobody waits for its result.
    "client_connection_check_interval": "1s",
}
# The longest transaction, unless it has a longer limit. The other limits do not end one whose client has sent only a
# part of the statements that the server awaits. Only sessions have this limit: it would end transactions of the last
# release, whose jobs know no such limit.
TRANSACTION_SECONDS = 20
# Postgres has that limit since version 17. Within a transaction, a new limit has no effect while another runs, which
# the limit 0 ends.
LIMIT_TRANSACTION = """
select set_config('transaction_timeout', '0', {is_local}), set_config('transaction_timeout', '{limit}', {is_local})
where current_setting('transaction_timeout', true) is not null
"""
# Executed once on each new connection.
SESSION = "; ".join(
    [f"set {name} = '{value}'" for name, value in (SETTINGS | DEAD_CLIENT).items()]
    + [LIMIT_TRANSACTION.format(limit=f"{TRANSACTION_SECONDS}s", is_local="false")]
)

# Executed once on each connection of the job queue, which deletes old jobs in one statement.
QUEUE_SESSION = "set statement_timeout = '10min'"

# The key under which the pool notes for each connection whether Citus distributes the tables of its database.
IS_DISTRIBUTED = "is_distributed"

CONNECT_SECONDS = 5
# A server that vanishes sends nothing. With these a connection to it fails within about ten seconds, idle or not.
DEAD_PEER = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


class PromptConnection(psycopg.AsyncConnection[Any]):
    """A connection that closes when the task that waits for the server is cancelled.

    The driver would ask the server to cancel the statement, and wait up to ten seconds for a server that may not
    respond. A server that responds ends the statement when it notices that the connection was closed.
    """

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:  # noqa: ANN401 - passed on
        """Connect to the first host that accepts, and try those last that do not answer."""
        failure: psycopg.OperationalError | None = None
        for host in hosts.in_order(conninfo, options):
            try:
                with hosts.noting_silence(host):
                    return await super().connect(conninfo, **{**options, **host.parameters})
            except psycopg.OperationalError as error:
                failure = error
        if failure:
            raise failure
        return await super().connect(conninfo, **options)

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Wait for the generator of an operation, as the driver does."""
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


# A network may swallow what is sent over a connection without closing it. After IDLE_SECONDS without an answer, the
# next one must come within ANSWER_SECONDS, or the connection is closed. Its user then tries again with a new one.
IDLE_SECONDS = 10.0
ANSWER_SECONDS = 2.0


class PooledConnection(PromptConnection):
    """A connection that closes, too, when it was idle outside a transaction and is dead."""

    _answered_at = inf

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Wait for the generator of an operation, as the driver does."""
        time = asyncio.get_running_loop().time
        is_idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        if is_idle and time() - self._answered_at > IDLE_SECONDS:
            result = await self._wait_briefly(super().wait(gen, interval))
        else:
            result = await super().wait(gen, interval, timeout)
        self._answered_at = time()
        return result

    async def _wait_briefly(self, result: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await result
        except TimeoutError:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer over a connection that was idle") from None


class TracedCursor(psycopg.AsyncCursor[Any]):
    """A cursor with a span for each statement."""

    async def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:  # noqa: ANN401 - the driver's
        """Execute a statement, as the driver does."""
        with tracing.statement(query):
            return await super().execute(query, params, **options)

    async def executemany(self, query: Any, params_seq: Iterable[Params], *, returning: bool = False) -> None:  # noqa: ANN401
        """Execute a statement several times, as the driver does."""
        with tracing.statement(query):
            await super().executemany(query, params_seq, returning=returning)


class WrongRole(psycopg.OperationalError):
    """A new connection does not act as the role that row-level security binds, so it must not be used."""


def create_engine(url: str, *, role: str, pool_size: int = 1, prepare_statements: bool = True) -> AsyncEngine:
    """An engine whose connections act as `role`, with any login.

    The driver is in autocommit mode: our own BEGIN pins the tenant in the same round trip, and the driver's commit or
    rollback ends the transaction.
    """
    arguments: dict[str, Any] = {
        "autocommit": True,
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "tessera",
        **DEAD_PEER,
    }
    if not prepare_statements:
        arguments["prepare_threshold"] = None
    arguments["async_creator_fn"] = PooledConnection.connect
    if tracing.is_configured():
        arguments["cursor_factory"] = TracedCursor
    address = with_driver(url)
    if address.username != role:
        arguments["options"] = f"-c role={role}"
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        connect_args=arguments,
        hide_parameters=True,  # logged errors contain the statement; parameter values may be secrets
    )
    event.listen(engine.sync_engine, "connect", partial(_prepare_session, role))
    return engine


def _prepare_session(role: str, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(SESSION)
    cursor.execute("select current_user, exists (select from pg_extension where extname = 'citus')")
    user, is_distributed = cursor.fetchone() or ("", False)
    cursor.close()
    record.info[IS_DISTRIBUTED] = is_distributed
    if user != role:
        # A pooler may drop startup options without an error, and row-level security does not bind the login role.
        log.error("connection refused: it has another role", role=user, expected=role)
        raise WrongRole(f"The connection acts as {user}, not as {role}; log in as {role} behind a pooler.")


def with_driver(url: str) -> URL:
    """The URL with the psycopg driver, for any spelling of the scheme, and for several hosts as libpq writes them."""
    return _with_driver(url).difference_update_query([ROLE_PARAMETER])


def _with_driver(url: str) -> URL:
    scheme, separator, rest = url.partition("://")
    authority, path = (*re.split("(?=[/?])", rest, maxsplit=1), "")[:2]
    login, at, hosts = authority.rpartition("@")
    if "," not in hosts:
        return make_url(url).set(drivername="postgresql+psycopg")
    address = make_url(f"{scheme}{separator}{login}{at}{path}").set(drivername="postgresql+psycopg")
    pairs = [_host_and_port(text) for text in hosts.split(",")]
    return address.update_query_dict(
        {
            "host": ",".join(host for host, _ in pairs),
            "port": ",".join(port for _, port in pairs),
        }
    )


def _host_and_port(text: str) -> tuple[str, str]:
    host, _, port = text.rpartition(":") if re.search(r":\d+$", text) else (text, "", "")
    return host.removeprefix("[").removesuffix("]"), port or "5432"
