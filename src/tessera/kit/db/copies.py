"""What a copy of a database needs besides a dump: a snapshot, the numbers of rows, and the settings of roles."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tessera.kit.db import schema_version
from tessera.kit.db.connections import opened
from tessera.kit.db.engine import CONNECT_SECONDS

_IS_BOUND = "select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user"
_TABLES = """
select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace order by 1
"""
# Citus names the tables that it distributes in a table that only databases with Citus have.
_HAS_CITUS = "select to_regclass('pg_dist_partition') is not null"
_IS_DISTRIBUTED = "select exists (select from pg_dist_partition)"
# A dump of one database lacks them, since roles belong to the server.
_ROLE_SETTINGS = """
select rolname::text, split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
from pg_db_role_setting join pg_roles on pg_roles.oid = setrole, unnest(setconfig) as setting
where setdatabase = (select oid from pg_database where datname = current_database()) and rolname = any (%s)
order by 1, 2
"""

# A dump or a restore takes as long as it takes, and the connection beside it is idle in its transaction meanwhile. Not
# every version of Postgres has all of these settings.
_WITHOUT_TIME_LIMITS = """
select set_config(name, '0', false) from pg_settings where name in (
    'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout',
    'idle_session_timeout'
)
"""

Administrator = psycopg.Connection[Any]
RoleSetting = tuple[str, str, str]


class CannotCopy(Exception):
    """The database cannot be backed up or restored; the message is one line for operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a database contains: its revision, the number of rows of each table, and settings of roles in it."""

    postgres: int
    revision: str
    rows: Mapping[str, int]
    role_settings: Sequence[RoleSetting]


@contextmanager
def administering(url: str) -> Iterator[Administrator]:
    """A connection that sees every row; raises CannotCopy if its login cannot, or DatabaseUnavailable."""
    with opened(url, connect_seconds=CONNECT_SECONDS, name="tessera backup") as connection:
        connection.execute(_WITHOUT_TIME_LIMITS)
        if connection.execute(_IS_BOUND).fetchone() == (True,):
            login = connection.info.user
            raise CannotCopy(
                f"row-level security hides rows from {login}: set TESSERA_OWNER_DATABASE_URL to the login of a"
                " superuser, or of a role with BYPASSRLS"
            )
        yield connection


@contextmanager
def snapshot(connection: Administrator, *, lock: int) -> Iterator[str]:
    """The name of a snapshot in which the connection and a dump see the same rows; no migration runs meanwhile.

    Raises CannotCopy for a database on several nodes, which have no snapshot in common.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        if all(connection.execute(query).fetchone() == (True,) for query in (_HAS_CITUS, _IS_DISTRIBUTED)):
            raise CannotCopy("Citus has the rows on several nodes: back up each node, at one restore point")
        if connection.execute("select pg_try_advisory_xact_lock_shared(%s)", [lock]).fetchone() != (True,):
            raise CannotCopy("the database is being migrated; try again after that")
        ((name,),) = connection.execute("select pg_export_snapshot()").fetchall()
        yield str(name)


def read_contents(connection: Administrator, roles: Sequence[str]) -> Contents:
    """What the database contains, with the settings of these roles; counts every row.

    Raises CannotCopy if it was never migrated.
    """
    tables = list_tables(connection)
    if "alembic_version" not in tables:
        raise CannotCopy("there is nothing to back up: the database was never migrated")
    version = schema_version.from_row(connection.execute(schema_version.QUERY).fetchone())
    return Contents(
        postgres=major_version(connection),
        revision=str(version.revision),
        rows={table: _count(connection, table) for table in tables},
        role_settings=connection.execute(_ROLE_SETTINGS, [list(roles)]).fetchall(),
    )


def major_version(connection: Administrator) -> int:
    """The major version of the server."""
    return connection.info.server_version // 10_000


def list_tables(connection: Administrator) -> list[str]:
    """The tables of the database."""
    return [name for (name,) in connection.execute(_TABLES)]


def _count(connection: Administrator, table: str) -> int:
    ((count,),) = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchall()
    return int(count)


def complete(connection: Administrator, role_settings: Sequence[RoleSetting]) -> None:
    """Set the settings of roles in a restored database, and collect the statistics that plans need."""
    database = sql.Identifier(connection.info.dbname)
    for role, name, value in role_settings:
        statement = sql.SQL("alter role {} in database {} set {} = {}")
        connection.execute(statement.format(sql.Identifier(role), database, sql.Identifier(name), sql.Literal(value)))
    connection.execute("analyze")
