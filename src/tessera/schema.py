"""The database's shape: its two roles, all tables together, and bringing them up to date."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

import tessera.catalog.models
import tessera.identity.models
import tessera.promo_codes.models  # noqa: F401 - imported for the tables that they declare
from tessera.kit.database import APPLICATION_ROLE, OWNER_ROLE, Base, with_driver

metadata = Base.metadata

CONFIGURATION = Path(__file__).parents[2] / "alembic.ini"
# Any number will do that no one else takes on this database.
MIGRATION_LOCK = 7_355_608


# Roles belong to the whole server: another database's migration may create them at this very moment.
_CREATE_ROLE = sql.SQL(
    "do $$ begin create role {} nosuperuser nobypassrls;"
    " exception when duplicate_object or unique_violation then null; end $$"
)


class CannotMigrate(Exception):
    """The database refuses; the message is one line for ops."""


def latest_revision() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory.from_config(Config(CONFIGURATION)).get_current_head()
    assert head is not None, "migrations/versions has revisions"  # noqa: S101 - a broken installation, not an input
    return head


def migrate(owner_url: str, application_url: str) -> str:
    """Create the roles where they are missing, apply every pending revision, and return the latest.

    Several processes may call it at once: they take turns. Raises CannotMigrate.
    """
    try:
        engine = create_engine(with_driver(owner_url), connect_args={"connect_timeout": 5})
        with engine.connect() as connection:
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
            _create_roles(connection, application_url)
            _upgrade(connection)
        engine.dispose()
    except (OperationalError, psycopg.OperationalError) as error:
        raise CannotMigrate(str(getattr(error, "orig", error)).strip().splitlines()[0]) from error
    return latest_revision()


def _create_roles(connection: Connection, application_url: str) -> None:
    login = make_url(application_url)
    for role in (OWNER_ROLE, APPLICATION_ROLE):
        exists = connection.execute(text("select from pg_roles where rolname = :role"), {"role": role}).first()
        if exists is None:
            _run(connection, _CREATE_ROLE.format(sql.Identifier(role)))
            _run(connection, sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
            if role == login.username:
                statement = sql.SQL("alter role {} login password {}")
                _run(connection, statement.format(sql.Identifier(role), sql.Literal(login.password)))
    if connection.dialect.server_version_info < (15,):  # type: ignore[operator]
        raise CannotMigrate("Postgres 15 or newer is needed.")
    _run(connection, sql.SQL("grant usage, create on schema public to {}").format(sql.Identifier(OWNER_ROLE)))
    _run(connection, sql.SQL("grant usage on schema public to {}").format(sql.Identifier(APPLICATION_ROLE)))
    connection.commit()


def _run(connection: Connection, statement: sql.Composed) -> None:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    raw.execute(statement)


def _upgrade(connection: Connection) -> None:
    # A migration waits this long for a lock and then fails, rather than stopping everyone behind it.
    connection.execute(text("set lock_timeout = '5s'"))
    connection.execute(text(f"set role {OWNER_ROLE}"))
    connection.commit()
    configuration = Config(CONFIGURATION)
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")
    connection.execute(text(f"grant select on alembic_version to {APPLICATION_ROLE}"))
    connection.commit()
