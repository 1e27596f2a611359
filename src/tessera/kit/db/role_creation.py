"""The roles of an installation in Postgres: their creation before the first migration, and passwords of logins."""

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from tessera.kit.db.connections import opened
from tessera.kit.db.engine import CONNECT_SECONDS, with_driver
from tessera.kit.db.roles import OWNER_ROLE, role_of

# Roles are shared by all databases of a server, and a migration of another database may create them concurrently.
_CREATE_ROLE = """do $$ begin create role {} nosuperuser nobypassrls;
exception when duplicate_object or unique_violation then null; end $$"""
_IS_NEW_AND_OURS = """
select to_regclass('public.alembic_version') is null and pg_has_role(datdba, 'usage')
from pg_database where datname = current_database()
"""
_HAS_CITUS = "select exists (select from pg_extension where extname = 'citus')"
_SCRIPT_HEAD = """\
-- The roles of Tessera in the database {database}. Run this there as a superuser, or as the owner of the database with
-- CREATEROLE. Then `tessera migrate` creates no roles. In psql, \\password NAME sets the password of a login.
"""


def create_missing(connection: psycopg.Connection[Any], owner_role: str, application_url: str) -> None:
    """Create missing roles, and let only them connect to a new database; raises psycopg.Error."""
    login, roles = with_driver(application_url), (owner_role, role_of(application_url))
    for role in roles:
        if not _exists(connection, role):
            _create(connection, role, login if role == login.username else None)
    for statement in _grants_on_schema(*roles):
        connection.execute(statement)
    if connection.execute(_HAS_CITUS).fetchone() == (True,):
        _prepare_for_nodes(connection, roles)
    if connection.execute(_IS_NEW_AND_OURS).fetchone() == (True,):
        grantees = {*roles} | ({login.username} if login.username and _exists(connection, login.username) else set())
        for statement in _closing_to_others(connection.info.dbname, grantees):
            connection.execute(statement)


def _prepare_for_nodes(connection: psycopg.Connection[Any], roles: tuple[str, str]) -> None:
    # The nodes connect to one another as the role of the session, and must see which organization is pinned.
    for name in map(sql.Identifier, roles):
        connection.execute(sql.SQL("alter role {} login").format(name))
        connection.execute(sql.SQL("alter role {} set citus.propagate_set_commands = 'local'").format(name))


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [role]).fetchone() is not None


def _create(connection: psycopg.Connection[Any], role: str, login: URL | None) -> None:
    name = sql.Identifier(role)
    connection.execute(sql.SQL(_CREATE_ROLE).format(name))
    connection.execute(sql.SQL("grant {} to current_user").format(name))
    if login is not None:
        verifier = None if login.password is None else _verifier(connection, role, str(login.password))
        connection.execute(sql.SQL("alter role {} login password {}").format(name, verifier))


def _verifier(connection: psycopg.Connection[Any], login: str, password: str) -> str:
    # Otherwise, Postgres and its log would receive the password.
    return connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()


def _grants_on_schema(owner_role: str, application_role: str) -> Iterator[sql.Composed]:
    yield sql.SQL("grant usage, create on schema public to {}").format(sql.Identifier(owner_role))
    yield sql.SQL("grant usage on schema public to {}").format(sql.Identifier(application_role))


def _closing_to_others(database: str, roles: set[str]) -> Iterator[sql.Composed]:
    # Otherwise, the roles of another installation on the same server could connect.
    name, grantees = sql.Identifier(database), sql.SQL(", ").join(map(sql.Identifier, sorted(roles)))
    yield sql.SQL("revoke connect on database {} from public").format(name)
    yield sql.SQL("grant connect on database {} to {}").format(name, grantees)


def script(owner_url: str, application_url: str) -> str:
    """The SQL of `create_missing` for a database administrator, which also creates the logins in the URLs."""
    roles = (role_of(owner_url, OWNER_ROLE), role_of(application_url))
    database = with_driver(application_url).database or ""
    owner_login, login = (str(with_driver(url).username or "postgres") for url in (owner_url, application_url))
    logins, everybody = {owner_login, login}, {*roles, owner_login, login}
    grants = {(role, owner_login) for role in roles} | {(roles[1], login)}
    statements = [
        *(sql.SQL(_CREATE_ROLE).format(sql.Identifier(name)) for name in sorted(everybody)),
        *(sql.SQL("alter role {} login").format(sql.Identifier(name)) for name in sorted(logins)),
        *(
            sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(member))
            for role, member in sorted(grants)
            if role != member
        ),
        *_grants_on_schema(*roles),
        *_closing_to_others(database, everybody),
    ]
    lines = [f"{statement.as_string()};" for statement in statements]
    return _SCRIPT_HEAD.format(database=database) + "\n".join(lines)


def with_new_password(url: str) -> str:
    """The URL with a new random password, which is not in force yet."""
    replaced = with_driver(url).set(password=secrets.token_hex(24), drivername="postgresql")
    return replaced.render_as_string(hide_password=False)


def replace_password(url: str, new_url: str) -> None:
    """Give the login in the URL the password of the new URL; raises DatabaseUnavailable.

    Each role may change its own password, so this needs no other right.
    """
    with opened(url, connect_seconds=CONNECT_SECONDS) as connection:
        login = connection.info.user
        verifier = _verifier(connection, login, make_url(new_url).password or "")
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), verifier))


def require_login(url: str) -> None:
    """Raise DatabaseUnavailable if the login in the URL cannot connect."""
    with opened(url, connect_seconds=CONNECT_SECONDS):
        pass
