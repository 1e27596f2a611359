"""The rights of the application's role in the database, whatever the code does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.support import citus
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.narrowing import narrow

from tessera.api.serving.resources import Resources
from tessera.identity.authentication.credentials import parse_key
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.errors import NotFound
from tessera.provision import Addresses

FIND = (
    "select * from validate_promo_codes("
    "%s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::bytea[], array[null]::inet[], now())"
)


@pytest.fixture
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the application's role, in autocommit mode and with no tenant pinned."""
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:
        yield connection


@pytest.fixture
async def one_connection(addresses: Addresses) -> AsyncIterator[Database]:
    """A database whose units of work all get the same connection."""
    database = Database(addresses.application, pool_size=1)
    yield database
    await database.close()


def pin(connection: psycopg.Connection[Any], organization_id: UUID) -> None:
    connection.execute(f"set local app.organization_id = '{organization_id}'")


def test_the_role_owns_nothing_and_has_no_powers(application: psycopg.Connection[Any]) -> None:
    role = application.execute(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
        " where rolname = current_user"
    ).fetchone()
    owned = application.execute("select count(*) from pg_class where relowner = 'tessera_app'::regrole").fetchone()
    memberships = application.execute(
        "select count(*) from pg_auth_members where member = 'tessera_app'::regrole"
    ).fetchone()
    assert role == (False, False, False, False, False)
    assert (owned, memberships) == ((0,), (0,))


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (id integer)",
        "create function mine() returns integer language sql as 'select 1'",
        "alter table promo_codes disable row level security",
        "alter table promo_codes no force row level security",
        "drop policy tenant on promo_codes",
        "create policy mine on promo_codes using (true)",
        "truncate promo_codes",
        "create index mine on promo_codes (name)",
        "create trigger mine after insert on users execute function suppress_redundant_updates_trigger()",
        "alter function list_organizations() security invoker",
        "update alembic_version set version_num = '0'",
        "create schema mine",
    ],
)
def test_the_role_changes_no_shape(application: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        application.execute(statement)


@pytest.mark.parametrize("role", ["tessera_owner", "postgres"])
def test_the_role_becomes_no_other(addresses: Addresses, role: str) -> None:
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select session_user").fetchone() != ("tessera_app",):
            pytest.skip("the application logs in as somebody else here")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(f"set role {role}")


def test_without_a_pin_there_are_no_rows(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], tenant: Tenant
) -> None:
    tables = superuser.execute("select relname from pg_class where relkind = 'r' and relrowsecurity").fetchall()
    assert ("promo_codes",) in tables
    assert ("organizations",) in tables
    for (table,) in tables:
        assert application.execute(f"select count(*) from {table}").fetchone() == (0,), table
    assert superuser.execute("select count(*) from users where organization_id = %s", [tenant.id]).fetchone() == (1,)


def execute_as(
    connection: psycopg.Connection[Any], organization_id: UUID, statement: str, values: list[Any]
) -> psycopg.Cursor[Any]:
    with connection.transaction():
        pin(connection, organization_id)
        return connection.execute(statement, values)


def test_a_row_of_another_tenant_cannot_be_written(
    application: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    values = "values (%s, %s, 'X', 'x', 1, 'Active', now(), 1)"
    insert = f"insert into store_exams (organization_id, id, code, name, price, status, created_at, version) {values}"
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        execute_as(application, tenant.id, insert, [other_tenant.id, uuid4()])
    # Citus refuses to change the organization of a row, for every role.
    refusal = errors.FeatureNotSupported if citus.COORDINATOR else errors.InsufficientPrivilege
    with pytest.raises(refusal, match=r"row-level security|partition value"):
        execute_as(application, tenant.id, "update store_exams set organization_id = %s", [other_tenant.id])
    assert execute_as(application, tenant.id, insert, [tenant.id, uuid4()]).rowcount == 1


@pytest.mark.parametrize("statement", ["delete from store_exams", "update users set is_active = false"])
def test_a_row_of_another_tenant_cannot_be_reached(
    application: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant, statement: str
) -> None:
    theirs = f"{statement} where organization_id = %s"
    assert execute_as(application, tenant.id, theirs, [other_tenant.id]).rowcount == 0


def test_a_reference_to_a_row_of_another_tenant_cannot_be_made(
    application: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    insert = "insert into product_bundle_store_exams values (%s, %s, %s)"
    values = [tenant.id, tenant.bundle_id, other_tenant.exam_ids["CLD-100"]]
    with pytest.raises(errors.ForeignKeyViolation):
        execute_as(application, tenant.id, insert, values)


async def test_a_pin_ends_with_its_unit_of_work(one_connection: Database, tenant: Tenant) -> None:
    async with one_connection.unit_of_work(tenant.id) as work:
        assert await read_pins(work.connection) == (str(tenant.id), "", 1)
        partner_id = uuid4()
        await narrow(work, partner_id)
        assert await read_pins(work.connection) == (str(tenant.id), str(partner_id), 1)
    assert await afterwards(one_connection) == ("", "", 0)


@pytest.mark.parametrize(
    ("statement", "problem"), [("select 1 / 0", "division by zero"), ("select 1", "a domain error")]
)
async def test_a_pin_ends_with_a_unit_of_work_that_fails(
    one_connection: Database, tenant: Tenant, statement: str, problem: str
) -> None:
    async def fail() -> None:
        async with one_connection.unit_of_work(tenant.id) as work:
            await narrow(work, uuid4())
            await work.connection.exec_driver_sql(statement)
            raise NotFound("a domain error")

    with pytest.raises((DBAPIError, NotFound), match=problem):
        await fail()
    assert await afterwards(one_connection) == ("", "", 0)


@pytest.mark.parametrize("statement", ["select pg_sleep(60)", None])
async def test_a_pin_ends_with_a_unit_of_work_that_is_cancelled(
    one_connection: Database, tenant: Tenant, statement: str | None
) -> None:
    begun = asyncio.Event()
    backends = []

    async def hang() -> None:
        async with one_connection.unit_of_work(tenant.id) as work:
            await narrow(work, uuid4())
            backends.append(await backend_of(work.connection))
            begun.set()
            if statement is None:
                await asyncio.sleep(60)
            else:
                await work.connection.exec_driver_sql(statement)

    task = asyncio.create_task(hang())
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await afterwards(one_connection) == ("", "", 0)
    # Its connection was closed, because a rollback would wait for a server that may not respond.
    async with one_connection.unit_of_work(tenant.id) as work:
        assert await backend_of(work.connection) not in backends


async def backend_of(connection: AsyncConnection) -> int:
    return int((await connection.exec_driver_sql("select pg_backend_pid()")).scalar_one())


async def test_the_next_unit_of_work_has_its_own_pin(
    one_connection: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    for each in (tenant, other_tenant) * 8:  # often enough that the driver prepares the statements
        async with one_connection.unit_of_work(each.id) as work:
            assert await read_pins(work.connection) == (str(each.id), "", 1)


async def afterwards(database: Database) -> tuple[str, str, int]:
    """The pins of the last unit of work's connection after its return to the pool."""
    async with database._engine.connect() as connection:
        return await read_pins(connection)


async def read_pins(connection: Any) -> tuple[str, str, int]:
    """The pinned organization and partner (an empty text if none), and the number of visible organizations."""
    result = await connection.exec_driver_sql(
        "select coalesce(current_setting('app.organization_id', true), ''),"
        " coalesce(current_setting('app.partner_id', true), ''), (select count(*) from organizations)"
    )
    organization, partner, organizations = result.one()
    return organization, partner, organizations


@pytest.mark.parametrize("function", ["list_organizations()", "find_organizations(id, name)"])
def test_only_the_platform_lists_organizations(
    application: psycopg.Connection[Any], tenant: Tenant, function: str
) -> None:
    function = function.replace("id, name", f"'{tenant.id}', '{tenant.name}'")
    listing = f"select count(*) from {function} where id = %s"
    assert application.execute(listing, [tenant.id]).fetchone() == (0,)
    for organization_id, found in ((tenant.id, 0), (uuid4(), 0), (PLATFORM_ID, 1)):
        with application.transaction():
            pin(application, organization_id)
            assert application.execute(listing, [tenant.id]).fetchone() == (found,)


def test_only_the_platform_deletes_idempotency_keys(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], tenant: Tenant
) -> None:
    superuser.execute(
        "insert into idempotency_keys values (%s, %s, 'key', '', 200, '', '1960-01-01')", [tenant.id, uuid4()]
    )
    deleting = "select count(*) from delete_idempotency_keys('1960-01-01', %s, 100)"
    assert application.execute(deleting, ["1960-01-02"]).fetchone() == (0,)
    # A key of exactly the lifetime stays.
    for organization_id, before, deleted in (
        (tenant.id, "1960-01-02", 0),
        (uuid4(), "1960-01-02", 0),
        (PLATFORM_ID, "1960-01-01", 0),
        (PLATFORM_ID, "1960-01-02", 1),
    ):
        with application.transaction():
            pin(application, organization_id)
            assert application.execute(deleting, [before]).fetchone() == (deleted,)


async def test_usability_is_revealed_only_for_the_right_digest(
    application: psycopg.Connection[Any], resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SAME"), now=resources.clock())
    key, other = parse_key(tenant.key.secret), parse_key(other_tenant.key.secret)
    right = (tenant.id, key.name.id, key.digest)
    wrong = [
        (tenant.id, key.name.id, sha256(b"").digest()),
        (tenant.id, key.name.id, b""),
        (tenant.id, key.name.id, None),
        (tenant.id, other.name.id, other.digest),
        (other_tenant.id, key.name.id, key.digest),
        (tenant.id, other.name.id, key.digest),
    ]
    asked = [right, *wrong]
    columns = [list(column) for column in zip(*asked, strict=True)]
    rows = application.execute(
        FIND, [columns[0], columns[1], ["same"] * len(asked), [None] * len(asked), columns[2]]
    ).fetchall()
    assert [row[0] for row in rows] == [1]


async def test_functions_of_the_owner_read_no_temporary_table(
    application: psycopg.Connection[Any], resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SAME", discount_percent=10), now=resources.clock())
    key = parse_key(tenant.key.secret)
    question = [[tenant.id], [key.name.id], ["same"], [None], [key.digest]]
    with application.transaction(force_rollback=True):
        honest = application.execute(FIND, question).fetchall()
        for table in ("promo_codes", "api_keys", "organizations"):
            application.execute(f"create temp table {table} (like public.{table})")
            application.execute(f"grant all on pg_temp.{table} to public")
        application.execute("set local search_path = pg_temp, public")
        assert application.execute("select count(*) from promo_codes").fetchone() == (0,)
        assert application.execute(FIND, question).fetchall() == honest
        pin(application, PLATFORM_ID)
        assert application.execute("select count(*) > 0 from list_organizations()").fetchone() == (True,)
    assert len(honest) == 1


def test_functions_with_the_owners_rights_pin_their_search_path(superuser: psycopg.Connection[Any]) -> None:
    rows = dict(
        superuser.execute(
            "select proname, array_to_string(proconfig, ',') from pg_proc"
            " where prosecdef and pronamespace = 'public'::regnamespace"
        ).fetchall()
    )
    assert {"list_organizations", "validate_promo_codes"} <= rows.keys()
    assert set(rows.values()) == {"search_path=pg_catalog, public, pg_temp"}


def test_functions_with_the_owners_rights_are_for_the_application_alone(superuser: psycopg.Connection[Any]) -> None:
    open_to_all = superuser.execute(
        "select proname from pg_proc where prosecdef and pronamespace = 'public'::regnamespace"
        " and (proacl is null or exists (select from aclexplode(proacl) where grantee = 0))"
    ).fetchall()
    owners = superuser.execute(
        "select distinct proowner::regrole::text from pg_proc where prosecdef and pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert (open_to_all, owners) == ([], [("tessera_owner",)])
