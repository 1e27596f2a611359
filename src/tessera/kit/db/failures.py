"""Errors of the driver as domain errors, with words for operators."""

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tessera.kit.errors import DatabaseUnavailable, DeadlineExceeded, NodeUnavailable, TransactionAborted

_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)
# A deadlock, a serialization failure, and a lock timeout.
_ABORTED = frozenset({"40P01", "40001", "55P03"})
# The coordinator of Citus cannot reach a node.
_NODE_AWAY = "08006"
_STATEMENT_TIMEOUT = "57014"
# A server that has become a standby, and the ends of idle sessions: only a new connection helps.
_LOST = frozenset({"25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05"})

_CAUSES = {
    _NODE_AWAY: "a node of the database cannot be reached",
    "25006": "the server is read-only, like a standby",
    "25P03": "the transaction was idle for too long",
    "25P04": "the transaction took too long",
    "40001": "concurrent transactions conflicted",
    "40P01": "concurrent transactions waited for each other",
    "53100": "the disk of the server is full",
    "53200": "the server is out of memory",
    "53300": "the server or the role has too many connections",
    "55P03": "a lock was not granted in time",
    "57014": "a statement exceeded its time limit",
}
# The server rejects a connection before it sends SQLSTATE in a form that the client library keeps.
_TOO_MANY = ("too many connections", "too many clients", "remaining connection slots")


def domain_error(error: Exception) -> DatabaseUnavailable | None:
    """The domain error for an error of the driver, the pool or a deadline; None for errors of the statement itself."""
    state = sqlstate(error)
    if state == _NODE_AWAY:
        return NodeUnavailable()
    if state in _ABORTED:
        return TransactionAborted()
    if state == _STATEMENT_TIMEOUT or isinstance(error, TimeoutError):
        return DeadlineExceeded()
    return DatabaseUnavailable() if state in _LOST or isinstance(error, _UNAVAILABLE) else None


def is_lost(error: Exception) -> bool:
    """Whether the error says that the server at the other end is gone, or has become a standby."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or sqlstate(error) in _LOST
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate is None or error.sqlstate in _LOST)


def sqlstate(error: BaseException | None) -> str | None:
    """The SQLSTATE of an error of the driver, also for a connection that the server has rejected."""
    cause = getattr(error, "orig", None) or error
    state: str | None = getattr(cause, "sqlstate", None)
    if state is None and isinstance(cause, psycopg.OperationalError) and any(text in str(cause) for text in _TOO_MANY):
        return "53300"
    return state


def may_have_committed(error: Exception) -> bool:
    """Whether a commit that failed with this error may have succeeded, on some node of Citus or on all."""
    # A lost connection has an error of its own, which is never retried.
    state = sqlstate(error) or ""
    return state == _NODE_AWAY or state.startswith("XX")


def is_missing_reference(error: Exception) -> bool:
    """Whether a statement failed because a row refers to one that does not exist."""
    return sqlstate(error) == "23503"


def is_read_only(error: Exception) -> bool:
    """Whether a statement failed because its transaction may only read."""
    return sqlstate(error) == "25006"


def cause_of(error: BaseException | None) -> str:
    """A few words for operators on what has happened."""
    if isinstance(error, PoolTimeout):
        return "no connection of the pool was free"
    if isinstance(error, TimeoutError):
        return "the time limit was exceeded"
    return _CAUSES.get(sqlstate(error) or "", "the server is not available")


def message_of(error: BaseException | None) -> str:
    """The message of an error of the driver; the full text of an error quotes rows, which may contain codes."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, psycopg.Error) and cause.diag.message_primary:
        return cause.diag.message_primary
    is_connection_error = isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None
    return " ".join(str(cause).split()) if is_connection_error else type(cause).__name__
