"""Rules for every table and function, checked in the catalog of the database, so that they include new tables."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import errors, sql
from sqlalchemy import Index, NullPool, create_engine
from sqlalchemy.schema import SchemaItem
from tests.support import citus

from migrations import functions
from tessera.kit.db.engine import DEAD_CLIENT, SETTINGS
from tessera.kit.db.table_base import Base
from tessera.metadata import metadata
from tessera.provision import Addresses

# A table with the column organization_id belongs to tenants.
TENANT_TABLES = """
    select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, a.attnum
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""


@pytest.fixture
def catalog(superuser: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the view `tenant_tables` over the catalog."""
    superuser.execute(f"create temp view tenant_tables as {TENANT_TABLES}")
    yield superuser
    superuser.execute("drop view tenant_tables")


def names(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    return [" ".join(map(str, row)) for row in rows]


def test_there_are_tenant_tables(catalog: psycopg.Connection[Any]) -> None:
    tables = {row[0] for row in catalog.execute("select relname from tenant_tables")}
    assert {"users", "api_keys", "promo_codes", "promo_code_email_addresses"} <= tables


def test_row_level_security_is_on_and_forced(catalog: psycopg.Connection[Any]) -> None:
    unprotected = catalog.execute(
        "select relname from tenant_tables where not (relrowsecurity and relforcerowsecurity)"
        " union all select 'organizations' from pg_class where oid = 'organizations'::regclass"
        " and not (relrowsecurity and relforcerowsecurity)"
    )
    assert names(unprotected) == []


@citus.plain_postgres_only("distributed tables have other policies")
def test_the_application_has_one_permissive_policy_on_each_table_for_every_command(
    catalog: psycopg.Connection[Any],
) -> None:
    # Postgres combines permissive policies with OR: a second policy could permit rows that the first one rejects.
    violations = catalog.execute(
        "select t.relname, count(p.oid) from tenant_tables t left join pg_policy p on p.polrelid = t.oid"
        " and p.polpermissive and p.polroles && array[0::oid, 'tessera_app'::regrole::oid]"
        " group by t.relname"
        " having count(p.oid) <> 1 or not bool_and(p.polcmd = '*' and p.polname = 'tenant'"
        " and pg_get_expr(p.polqual, p.polrelid) like '(organization_id = %app.organization_id%'"
        " and (p.polwithcheck is null or p.polwithcheck = p.polqual))"
    )
    assert names(violations) == []


# What users of voucher partners may do with the rows of their organization, if the table's own conditions allow it.
OPEN_TO_PARTNERS = {
    ("insert",): ["audit_entries", "audit_seals", "audit_unsealed", "audit_values"],
    ("select",): ["organizations", "product_bundle_store_exams", "product_bundles", "store_exams"],
    # They have no right to promo codes, which a constraint of users says.
    ("delete", "insert", "select", "update"): [
        "idempotency_keys",
        "promo_code_email_addresses",
        "promo_code_product_bundles",
        "promo_code_store_exams",
        "promo_codes",
    ],
}


@citus.plain_postgres_only("distributed tables have other policies")
def test_users_of_partners_are_restricted_on_each_table_for_every_other_command(
    catalog: psycopg.Connection[Any],
) -> None:
    unrestricted = catalog.execute(
        "select t.relname, array_agg(command.name order by command.name) from pg_class t"
        " cross join (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) command (code, name)"
        " where t.relkind = 'r' and t.relrowsecurity and has_table_privilege('tessera_app', t.oid, command.name)"
        " and not exists (select from pg_policy p where p.polrelid = t.oid and not p.polpermissive"
        " and p.polcmd in ('*', command.code))"
        " group by t.relname"
    )
    expected = {table: commands for commands, tables in OPEN_TO_PARTNERS.items() for table in tables}
    assert {table: tuple(commands) for table, commands in unrestricted} == expected


def test_the_primary_key_starts_with_the_organization(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select relname from tenant_tables t where not exists (select from pg_index i where i.indrelid = t.oid"
        " and i.indisprimary and i.indkey[0] = t.attnum)"
    )
    assert names(violations) == []


def test_every_unique_index_contains_the_organization(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select i.indexrelid::regclass from tenant_tables t join pg_index i on i.indrelid = t.oid"
        " where i.indisunique and not t.attnum = any (i.indkey::int2[])"
    )
    assert names(violations) == []


def test_foreign_keys_between_tenants_tables_contain_the_organization_on_both_sides(
    catalog: psycopg.Connection[Any],
) -> None:
    violations = catalog.execute(
        "select k.conname from pg_constraint k join tenant_tables t on t.oid = k.conrelid"
        " join tenant_tables r on r.oid = k.confrelid where k.contype = 'f'"
        " and coalesce(array_position(k.conkey, t.attnum), 0) is distinct from array_position(k.confkey, r.attnum)"
    )
    assert names(violations) == []


def test_no_foreign_key_sets_null_or_deletes_along(catalog: psycopg.Connection[Any]) -> None:
    # SET NULL would also set organization_id to null, and Citus does not support it.
    violations = catalog.execute(
        "select k.conname from pg_constraint k join tenant_tables t on t.oid = k.conrelid"
        " where k.contype = 'f' and (k.confdeltype in ('n', 'd') or k.confupdtype in ('n', 'd'))"
    )
    assert names(violations) == []


def test_every_foreign_key_has_an_index_that_serves_it(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select k.conname from pg_constraint k join tenant_tables t on t.oid = k.conrelid where k.contype = 'f'"
        " and not exists (select from pg_index i where i.indrelid = k.conrelid and"
        " (i.indkey::int2[])[0 : cardinality(k.conkey) - 1] @> k.conkey)"
    )
    assert names(violations) == []


def test_tenants_tables_have_no_triggers(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select g.tgname from pg_trigger g join tenant_tables t on t.oid = g.tgrelid where not g.tgisinternal"
    )
    assert names(violations) == []


def test_tenants_tables_have_no_sequences_and_no_volatile_defaults(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select t.relname, a.attname from tenant_tables t join pg_attribute a on a.attrelid = t.oid"
        " where a.attnum > 0 and not a.attisdropped and (a.attidentity <> '' or (a.atthasdef and a.attgenerated = ''))"
    )
    assert names(violations) == []


@citus.plain_postgres_only("its own views belong to the superuser")
def test_every_table_belongs_to_the_owner(catalog: psycopg.Connection[Any]) -> None:
    violations = catalog.execute(
        "select relname, relowner::regrole from pg_class where relnamespace = 'public'::regnamespace"
        " and relowner <> 'tessera_owner'::regrole"
    )
    assert names(violations) == []


def test_every_table_rejects_a_row_of_another_tenant(catalog: psycopg.Connection[Any], addresses: Addresses) -> None:
    url = addresses.application.replace("+psycopg", "")
    open_tables = []
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as application:
        for (table,) in catalog.execute("select relname from tenant_tables").fetchall():
            writable = "has_table_privilege('tessera_app', %s, 'insert')"
            if catalog.execute(f"select {writable}", [table]).fetchone() == (True,):
                open_tables += [] if is_rejected(application, catalog, table) else [table]
    assert open_tables == []


def is_rejected(application: psycopg.Connection[Any], catalog: psycopg.Connection[Any], table: str) -> bool:
    """Whether the policy rejects a row of another tenant. Postgres checks only NOT NULL before the policy."""
    columns = catalog.execute(
        "select attname, format_type(atttypid, null) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
        [table],
    ).fetchall()
    examples = {
        "uuid": str(uuid4()),
        "text[]": "{}",
        "uuid[]": "{}",
        "cidr[]": "{}",
        "boolean": "true",
        "date": "2026-01-01",
        "timestamp with time zone": "2026-01-01",
    }
    values = [examples.get(kind, "1") for _, kind in columns]
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        sql.SQL(", ").join(sql.Placeholder() * len(columns)),
    )
    try:
        with application.transaction():
            application.execute(f"set local app.organization_id = '{uuid4()}'")
            application.execute(statement, values)
    except errors.InsufficientPrivilege as error:
        return "row-level security" in str(error)
    return False


def test_the_tables_in_code_are_those_of_the_migrations(addresses: Addresses) -> None:
    def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        # The job queue creates its tables with its own SQL.
        return kind != "table" or not str(name).startswith(("procrastinate_", "alembic_"))

    engine = create_engine(addresses.owner, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_object": is_ours},
        )
        assert compare_metadata(context, metadata) == []


def test_constraints_and_indexes_have_the_names_in_code(catalog: psycopg.Connection[Any]) -> None:
    # Error handling depends on these names, and the comparison above ignores checks and the names of keys.
    tables = list(Base.metadata.tables)
    existing = catalog.execute(
        "select conrelid::regclass::text, conname from pg_constraint"
        " where contype <> 'n' and conrelid::regclass::text = any (%s)"
        " union select indrelid::regclass::text, indexrelid::regclass::text from pg_index"
        " where indrelid::regclass::text = any (%s)",
        [tables, tables],
    ).fetchall()
    assert set(existing) == set(declared_names())


def declared_names() -> Iterator[tuple[str, str]]:
    dialect = create_engine("postgresql+psycopg://").dialect
    for table in Base.metadata.sorted_tables:
        for item in (*table.constraints, *table.indexes):
            yield table.name, format_name(dialect, item)


def format_name(dialect: Any, item: SchemaItem) -> str:
    preparer = dialect.identifier_preparer
    return str(preparer.format_index(item) if isinstance(item, Index) else preparer.format_constraint(item))


def definitions(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, ...]]:
    """The functions of the schema, apart from the job queue's, with their definitions, owners and grants."""
    rows = connection.execute(
        "select proname, oid::regprocedure::text, pg_get_functiondef(oid), proowner::regrole::text, proacl::text"
        " from pg_proc where pronamespace = 'public'::regnamespace and proname not like 'procrastinate%'"
        # Processes of the last release call a function with fewer parameters, which stays beside the newest version.
        " order by pronargs"
    )
    return {name: tuple(rest) for name, *rest in rows}


@citus.plain_postgres_only("other functions take the place of some")
def test_functions_equal_the_newest_versions_of_their_files(superuser: psycopg.Connection[Any]) -> None:
    installed = definitions(superuser)
    folders = [path for path in Path(functions.__file__).parent.iterdir() if list(path.glob("v*.sql"))]
    with superuser.transaction(force_rollback=True):
        superuser.execute("set local role tessera_owner")
        for signature, *_ in installed.values():
            superuser.execute(f"drop function {signature}")
        for folder in folders:
            newest = max(folder.glob("v*.sql"), key=lambda file: int(file.stem.removeprefix("v")))
            superuser.execute(newest.read_bytes())
        assert definitions(superuser) == installed
    assert len(folders) == len(installed) >= 12


def test_the_application_has_settings_that_no_pooler_loses(catalog: psycopg.Connection[Any]) -> None:
    rows = catalog.execute(
        "select unnest(setconfig) from pg_db_role_setting s join pg_database d on d.oid = setdatabase"
        " where datname = current_database() and setrole = 'tessera_app'::regrole"
    ).fetchall()
    assert dict(setting.split("=") for (setting,) in rows) == SETTINGS | DEAD_CLIENT
