"""A migrated database of which the databases of all test processes are copies, because migrations take seconds."""

import hashlib
from collections.abc import Callable

import psycopg
from psycopg import sql

from tessera import schema
from tessera.kit.db.copies import read_contents
from tessera.kit.db.roles import APPLICATION_ROLE
from tessera.provision import Addresses

MIGRATIONS = schema.CONFIGURATION.parent / "migrations"
FILES = sorted(file for kind in ("py", "sql") for file in MIGRATIONS.rglob(f"*.{kind}"))
# Test runs that share a server, as those of slips do, may have different migrations.
DIGEST = hashlib.sha256(b"\0".join(file.read_bytes() for file in FILES)).hexdigest()[:12]
TEMPLATE, UNFINISHED = f"tessera_template_{DIGEST}", f"tessera_unfinished_{DIGEST}"
LOCK = 5_550_123  # an arbitrary number


def create_copy(admin: psycopg.Connection, name: str, addresses_of: Callable[[str], Addresses]) -> None:
    """Create a database with all migrations, and with the rights and settings of roles, which are not copied."""
    admin.execute("select pg_advisory_lock(%s)", [LOCK])
    try:
        if not admin.execute("select from pg_database where datname = %s", [TEMPLATE]).rowcount:
            _create_template(admin, addresses_of(UNFINISHED))
        admin.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        with psycopg.connect(_login(addresses_of(TEMPLATE)), autocommit=True) as connection:
            role_settings = read_contents(connection, [APPLICATION_ROLE]).role_settings
    finally:
        admin.execute("select pg_advisory_unlock(%s)", [LOCK])
    for role, setting, value in role_settings:
        statement = sql.SQL("alter role {} in database {} set {} = {}")
        names = map(sql.Identifier, (role, name, setting))
        admin.execute(statement.format(*names, sql.Literal(value)))
    addresses = addresses_of(name)
    with schema.with_roles(addresses.owner, addresses.application):  # grants the rights to connect
        pass


def _create_template(admin: psycopg.Connection, addresses: Addresses) -> None:
    admin.execute(sql.SQL("create database {}").format(sql.Identifier(UNFINISHED)))
    schema.migrate(addresses.owner, addresses.application)
    rename = sql.SQL("alter database {} rename to {}")
    admin.execute(rename.format(sql.Identifier(UNFINISHED), sql.Identifier(TEMPLATE)))


def _login(addresses: Addresses) -> str:
    return addresses.owner.replace("+psycopg", "")
