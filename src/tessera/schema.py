"""The schema of the database: its two roles and its migrations."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import structlog
from psycopg.errors import (
    DeadlockDetected,
    InsufficientPrivilege,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    UndefinedTable,
)
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from tessera.kit.db import clocks, diagnosis, distribution, role_creation, schema_version
from tessera.kit.db.engine import with_driver
from tessera.kit.db.roles import APPLICATION_ROLE, OWNER_ROLE, role_of

if TYPE_CHECKING:
    from alembic.config import Config

log = structlog.get_logger(__name__)

# A wheel contains alembic.ini and the migrations inside the package; a checkout has them at its top level.
_PACKAGED = Path(__file__).with_name("_schema") / "alembic.ini"
CONFIGURATION = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[2] / "alembic.ini"
_DEFAULT_ROLES = re.compile(rf"\b(?:{OWNER_ROLE}|{APPLICATION_ROLE})\b")
_REVISION = re.compile(r'^revision = "(\w+)"$.*?^down_revision = (?:None|"(\w+)")$', re.MULTILINE | re.DOTALL)
# An arbitrary number that no other application uses in this database.
MIGRATION_LOCK = 7_355_608
# All later statements on a table queue behind a migration that waits for its lock, so each wait is short, and shorter
# than deadlock_timeout: Postgres then never chooses a statement of the application as the victim of a deadlock.
LOCK_TIMEOUT = "200ms"
LOCK_PAUSES = (0.1, 0.2, 0.3, 0.5, 0.8, 1, *(2,) * 30)  # seconds between attempts

_OWNER_OF_SCHEMA = "select pg_get_userbyid(relowner) from pg_class where oid = to_regclass('public.alembic_version')"
_BYPASSES_ROW_SECURITY = "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"


class CannotMigrate(Exception):
    """The database cannot be migrated; the message is one line for operators."""


class CannotUse(Exception):
    """The application must not use this database in its present state; the message is one line for operators."""


@dataclass(frozen=True, slots=True)
class ConnectedDatabase:
    """The database at the other end of a connection, and the role that statements are executed as.

    `seconds_ahead` is the time by which the clock of this process is ahead of that of the database.
    """

    host: str
    port: int
    name: str
    role: str
    seconds_ahead: float


def latest_revision() -> str:
    """The revision that this code requires."""
    revisions = _revisions()
    (head,) = set(revisions) - set(revisions.values())
    return head


def migrate(owner_url: str, application_url: str, *, lock_pauses: Iterable[float] = LOCK_PAUSES) -> str:
    """Create missing roles, apply all pending revisions, and return the latest revision.

    Concurrent calls wait for each other. A revision that does not get a lock is tried again after each of the pauses,
    in seconds. Raises CannotMigrate.
    """
    with with_roles(owner_url, application_url) as connection:
        _upgrade(connection, lock_pauses)
    return latest_revision()


def distribute(owner_url: str, application_url: str) -> distribution.Distribution:
    """Distribute the tables by organization over the nodes of Citus; raises CannotMigrate.

    All of it is one transaction: an interrupted call changes nothing, and a repeated one distributes only new tables.
    """
    with with_roles(owner_url, application_url) as connection, connection.begin():
        if not distribution.is_possible(connection):
            raise CannotMigrate("this database has no Citus; run `create extension citus`, and add its nodes")
        connection.execute(text(f"set local role {OWNER_ROLE}"))
        _check_version(connection)
        return distribution.distribute(
            connection, first=distribution_scripts("first"), always=distribution_scripts("always")
        )


def distribution_scripts(folder: str) -> list[str]:
    """The SQL that changes the schema for several nodes: at the `first` distribution, or `always`."""
    files = sorted((CONFIGURATION.parent / "migrations" / "distributed" / folder).glob("*.sql"))
    return [file.read_text(encoding="utf-8") for file in files]


@contextmanager
def with_roles(owner_url: str, application_url: str) -> Iterator[Connection]:
    """A connection of the owner after missing roles were created; no migration runs meanwhile. Raises CannotMigrate.

    Its statements name the roles by their default names.
    """
    names = {OWNER_ROLE: role_of(owner_url, OWNER_ROLE), APPLICATION_ROLE: role_of(application_url)}
    with _errors_explained(), _engine(owner_url).connect() as connection:
        _lock(connection)
        _create_roles(connection, names[OWNER_ROLE], application_url)
        event.listen(connection, "before_cursor_execute", partial(_rename_roles, names), retval=True)
        yield connection


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, InsufficientPrivilege):
            message = (
                f"this login may not migrate ({_reason(error)}); set TESSERA_OWNER_DATABASE_URL to a login that may"
            )
            raise CannotMigrate(message) from error
        # An error without SQLSTATE comes from the client library: the URL contains an unknown option.
        is_client_error = isinstance(cause, psycopg.Error) and cause.sqlstate is None
        if not is_client_error and not isinstance(cause, psycopg.OperationalError | ReadOnlySqlTransaction):
            raise
        raise CannotMigrate(_reason(error)) from error


def _lock(connection: Connection) -> None:
    # A session that waits in one statement has a snapshot, for which a concurrent build of an index would wait.
    is_waiting = False
    while not connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}):
        connection.commit()
        if not is_waiting:
            log.warning("waiting for the end of a backup, or of another migration")
        is_waiting = True
        time.sleep(0.1)
    connection.commit()


def find(url: str) -> ConnectedDatabase:
    """The database that a URL leads to, as the connection reports it."""
    with _engine(url).connect() as connection:
        return _find(connection)


def check(application_url: str) -> ConnectedDatabase:
    """The database of the application; raises CannotUse.

    This code must be able to use its schema, and row-level security must apply to the application.
    """
    role = role_of(application_url)
    try:
        with _engine(application_url).connect() as connection:
            if with_driver(application_url).username != role:
                connection.execute(text(f"set role {role}"))
            if connection.scalar(text(_BYPASSES_ROW_SECURITY)):
                raise CannotUse(f"the role {role} is a superuser or has BYPASSRLS, which disables tenant isolation")
            _check_version(connection)
            if problem := _missing_isolation(connection):
                raise CannotUse(problem)
            return _find(connection)
    except (OperationalError, ProgrammingError) as error:
        reason = _reason(error)
        # The first migration creates the role and the table.
        if f'role "{role}" does not exist' in reason or isinstance(error.orig, UndefinedTable):
            raise CannotUse("it has not been migrated; run `tessera migrate`") from error
        raise CannotUse(reason) from error


def _find(connection: Connection) -> ConnectedDatabase:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    role = connection.scalar(text("select current_user"))
    seconds_ahead = clocks.seconds_ahead_of(raw)
    return ConnectedDatabase(raw.info.host, raw.info.port, raw.info.dbname, str(role), seconds_ahead)


def _check_version(connection: Connection) -> None:
    version, code = schema_version.from_row(connection.execute(text(schema_version.QUERY)).first()), latest_revision()
    if version.serves(code):
        return
    if version.is_newer_than(code):
        raise CannotUse(_newer_revision_message(str(version.revision)))
    raise CannotUse(f"it is at revision {version.revision}, not {code}; run `tessera migrate`")


def _missing_isolation(connection: Connection) -> str | None:
    """A line on tables without row-level security, if there are any."""
    tables = connection.scalars(text(diagnosis.OPEN_TABLES)).all()
    if not tables:
        return None
    return (
        f"{len(tables)} tables such as {tables[0]} have no row-level security, as after a restore without the roles;"
        " restore it again into an empty database by `tessera restore`, or after creating the roles"
    )


def _newer_revision_message(revision: str) -> str:
    return f"it is at revision {revision}, which a newer version of Tessera created; run that version"


def _revisions() -> Mapping[str, str | None]:
    """Each revision with the one before it. Alembic would import all of them, which every command would wait for."""
    files = (CONFIGURATION.parent / "migrations" / "versions").glob("*.py")
    matches = [_REVISION.search(file.read_text(encoding="utf-8")) for file in files]
    return {match[1]: match[2] for match in matches if match}


def _engine(url: str) -> Engine:
    # Without a pool, the connection is closed after use, which releases the lock even if a revision fails.
    return create_engine(with_driver(url), poolclass=NullPool, connect_args={"connect_timeout": 5})


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0]


def _create_roles(connection: Connection, owner_role: str, application_url: str) -> None:
    if connection.dialect.server_version_info < (15,):  # type: ignore[operator]
        raise CannotMigrate("Postgres 15 or newer is required.")
    _require_roles_of_schema(connection, owner_role)
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    role_creation.create_missing(raw, owner_role, application_url)
    connection.commit()


def _require_roles_of_schema(connection: Connection, owner_role: str) -> None:
    owner = connection.scalar(text(_OWNER_OF_SCHEMA))
    if owner not in (None, owner_role):
        raise CannotMigrate(
            f"the schema belongs to the role {owner}, not to {owner_role}:"
            " set TESSERA_OWNER_ROLE and TESSERA_APPLICATION_ROLE as at the first migration"
        )


def _rename_roles(
    names: Mapping[str, str], _connection: object, _cursor: object, statement: str, parameters: object, *_: object
) -> tuple[str, object]:
    """The statement with the names of this installation; SQL is written with the default ones."""
    return _DEFAULT_ROLES.sub(lambda match: names[match[0]], statement), parameters


def _upgrade(connection: Connection, lock_pauses: Iterable[float]) -> None:
    # Only a migration needs Alembic, whose import takes a fifth of the start of a command.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    connection.execute(text(f"set role {OWNER_ROLE}"))  # renamed, as in migrations
    connection.commit()
    revision = MigrationContext.configure(connection).get_current_revision()
    connection.commit()  # otherwise, all revisions would run in the transaction of this read
    if revision is not None and revision not in _revisions():
        raise CannotMigrate(_newer_revision_message(revision))
    if problem := _missing_isolation(connection):
        raise CannotMigrate(problem)
    connection.commit()
    configuration = Config(CONFIGURATION)
    configuration.attributes["connection"] = connection
    for pause in lock_pauses:
        try:
            return _apply_pending(connection, configuration)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            connection.rollback()
            log.warning("a revision waits for a lock and is tried again", reason=_reason(error), seconds=pause)
            time.sleep(pause)
    return _apply_pending(connection, configuration)


def _apply_pending(connection: Connection, configuration: "Config") -> None:
    from alembic import command  # noqa: PLC0415

    # Set for each attempt, because one that fails while it builds an index concurrently leaves another timeout.
    connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    command.upgrade(configuration, "head")
    connection.execute(text(f"grant select on alembic_version to {APPLICATION_ROLE}"))
    connection.commit()
