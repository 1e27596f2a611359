"""The state of the database server and of the schema, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tessera.kit.db import schema_version
from tessera.kit.db.schema_version import SchemaVersion

_SERVER = """
select
  current_setting('server_version_num')::int / 10000 as major_version,
  current_user::text as role,
  (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as bypasses_row_security,
  (select rolconnlimit from pg_roles where rolname = current_user) as role_connections,
  pg_is_in_recovery() as is_standby,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as max_connections,
  (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used_connections,
  current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as is_durable,
  current_setting('autovacuum') = 'on' as has_autovacuum,
  (select age(datfrozenxid) from pg_database where datname = current_database()) as transaction_age,
  (select last_failed_time > coalesce(last_archived_time, '-infinity') from pg_stat_archiver) is true as cannot_archive,
  coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as is_encrypted,
  inet_server_addr() is null or inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1' as is_local
"""
# Tables of tenants without row-level security. A restore without the roles leaves tables without policies.
OPEN_TABLES = """
select relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and attname = 'organization_id'
  and not (relrowsecurity and relforcerowsecurity and exists (select from pg_policy where polrelid = c.oid))
order by 1
"""
_SCHEMA = f"""
select
  current_user::text as role,
  array({OPEN_TABLES}) as open_tables,
  array(select relname::text from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
    and pg_get_userbyid(relowner) = current_user order by 1) as own_tables,
  array(select indexrelid::regclass::text from pg_index where not indisvalid order by 1) as invalid_indexes,
  array(select split_part(setting, '=', 1) from pg_db_role_setting, unnest(setconfig) as setting
    where setrole = (select oid from pg_roles where rolname = current_user)
      and setdatabase in (0, (select oid from pg_database where datname = current_database()))) as role_settings
"""  # noqa: S608 - our own constants


@dataclass(frozen=True, slots=True)
class Server:
    """The server and the connection to it; `role_connections` is -1 without a limit."""

    major_version: int
    role: str
    bypasses_row_security: bool
    role_connections: int
    is_standby: bool
    max_connections: int
    used_connections: int
    is_durable: bool
    has_autovacuum: bool
    transaction_age: int
    cannot_archive: bool
    is_encrypted: bool
    is_local: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema: tables without row-level security, tables of the role that reads it, invalid indexes."""

    role: str
    open_tables: Sequence[str]
    own_tables: Sequence[str]
    invalid_indexes: Sequence[str]
    role_settings: Sequence[str]
    version: SchemaVersion


def read_server(connection: psycopg.Connection[Any]) -> Server:
    """The state of the server; raises psycopg.Error."""
    with connection.cursor(row_factory=dict_row) as cursor:
        (row,) = cursor.execute(_SERVER).fetchall()
    return Server(**row)


def read_schema(connection: psycopg.Connection[Any]) -> Schema | None:
    """The state of the schema, or None before the first migration; raises psycopg.Error."""
    if connection.execute("select to_regclass('alembic_version')").fetchone() == (None,):
        return None
    with connection.cursor(row_factory=dict_row) as cursor:
        (row,) = cursor.execute(_SCHEMA).fetchall()
    version = schema_version.from_row(connection.execute(schema_version.QUERY).fetchone())
    return Schema(**row, version=version)
