"""Checks of the database server and of the schema."""

from collections.abc import Iterator

from tessera.cli.checks.outcomes import Level, Outcome, assess, names
from tessera.kit.db.diagnosis import Schema, Server
from tessera.kit.db.engine import DEAD_CLIENT, SETTINGS
from tessera.settings import Settings

MIN_MAJOR_VERSION = 15
# Postgres stops at two thousand million transactions, and freezes old rows long before.
MAX_TRANSACTION_AGE = 1_000_000_000
# Connections besides those of the pools: see the guide, Self-hosting.
READERS, OF_WORKER, RESERVED = 4, 6, 10


def check_server(server: Server, settings: Settings) -> Iterator[Outcome]:
    """The checks of the server and of the role."""
    version = assess(
        "Postgres version",
        server.major_version >= MIN_MAJOR_VERSION,
        str(server.major_version),
        remedy=f"Upgrade Postgres to {MIN_MAJOR_VERSION} or newer.",
    )
    application = settings.application_role
    is_bound = server.role == application and not server.bypasses_row_security
    role = assess(
        "role",
        is_bound,
        server.role if is_bound else f"{server.role}, which row-level security does not bind",
        remedy=f"Log in as {application}, and: alter role {application} nosuperuser nobypassrls",
    )
    writable = assess(
        "primary",
        not server.is_standby,
        "the server is a standby" if server.is_standby else "the server accepts writes",
        remedy="Name the primary in TESSERA_DATABASE_URL, or add ?target_session_attrs=read-write.",
    )
    durable = assess(
        "durability",
        server.is_durable,
        "fsync and full_page_writes are on" if server.is_durable else "fsync or full_page_writes is off",
        remedy="Turn on fsync and full_page_writes: without them, a crash of the machine can destroy the data.",
    )
    yield from (version, role, writable, durable, *_server_upkeep(server), *_connections(server, settings))


def _server_upkeep(server: Server) -> Iterator[Outcome]:
    yield assess(
        "autovacuum",
        server.has_autovacuum,
        "on" if server.has_autovacuum else "off",
        remedy="Turn autovacuum on: without it, tables grow, and queries are planned without statistics.",
    )
    yield assess(
        "transaction ids",
        server.transaction_age < MAX_TRANSACTION_AGE,
        f"the oldest is {server.transaction_age:,} transactions old",
        remedy="Find what keeps vacuum from freezing rows: old or prepared transactions, or replication slots.",
    )
    yield assess(
        "archive",
        not server.cannot_archive,
        "the last file could not be archived" if server.cannot_archive else "no failure",
        remedy="See the log of Postgres: the archive may be full or missing, and the disk of Postgres fills meanwhile.",
    )
    yield assess(
        "encryption",
        server.is_encrypted or server.is_local,
        "TLS" if server.is_encrypted else "no TLS, on this machine" if server.is_local else "no TLS",
        remedy="Add ?sslmode=verify-full to TESSERA_DATABASE_URL.",
        level=Level.WARNING,
    )


def _connections(server: Server, settings: Settings) -> Iterator[Outcome]:
    needed = settings.processes * (settings.pool_size + READERS) + settings.pool_size + OF_WORKER + RESERVED
    of_role = server.max_connections if server.role_connections < 0 else server.role_connections
    available = min(server.max_connections, of_role)
    yield assess(
        "connection limit",
        available >= needed,
        f"{available}, of which {settings.processes} API processes and a worker need {needed}",
        remedy="Raise max_connections of Postgres or of the role, or lower TESSERA_POOL_SIZE.",
    )
    yield assess(
        "connections",
        server.used_connections < server.max_connections * 9 // 10,
        f"{server.used_connections} of {server.max_connections} in use",
        remedy="Look in pg_stat_activity for programs that leave connections open.",
        level=Level.WARNING,
    )


def check_schema(schema: Schema | None, *, code: str) -> Iterator[Outcome]:
    """The checks of the schema; `code` is the revision that this version of Tessera has."""
    if schema is None:
        yield Outcome("schema version", Level.FAILURE, "never migrated", "Run `tessera migrate`.")
        return
    is_newer = schema.version.is_newer_than(code)
    yield assess(
        "schema version",
        schema.version.serves(code),
        f"{schema.version.revision}, and this version has {code}",
        remedy="Run the newer version of Tessera." if is_newer else "Run `tessera migrate`.",
    )
    yield assess(
        "row-level security",
        not schema.open_tables,
        f"tables without it: {names(schema.open_tables)}",
        remedy="Organizations are not isolated. Stop, restore the schema from a backup, roles first.",
    )
    yield assess(
        "owner of the tables",
        not schema.own_tables,
        f"tables of {schema.role}: {names(schema.own_tables)}",
        remedy=f"An owner can turn row-level security off: {schema.role} must own nothing (reassign owned by ..).",
    )
    missing = sorted((SETTINGS | DEAD_CLIENT).keys() - set(schema.role_settings))
    yield assess(
        "settings of the role",
        not missing,
        f"missing: {names(missing)}",
        remedy="A pooler loses the settings of sessions: see the warnings of `tessera migrate`.",
        level=Level.WARNING,
    )
    yield assess(
        "indexes",
        not schema.invalid_indexes,
        f"invalid: {names(schema.invalid_indexes)}",
        remedy="Run: reindex index concurrently NAME",
    )
