"""Rules of code and schema for a distributed engine, which runs each statement on the node of its organization."""

import ast
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from tests.architecture.test_house_style import FILES, name_of, nodes
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.redemption_requests import create_redemption
from tests.support.tenant_clauses import COLUMNS
from tests.support.voucher_factories import add_partner, add_program, add_purchase

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.schema import distribution_scripts
from tessera.vouchers.rules import PurchaseStatus

pytestmark = citus.plain_postgres_only("here the tables of one Postgres become what they are there")

SUBSELECTS = """
select c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
where concat(pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)) ~* 'select' order by 1
"""
# Those of the job queue work on tables that stay on one node.
FUNCTIONS = "from pg_proc where pronamespace = 'public'::regnamespace and proname !~ '^procrastinate'"


def names(connection: psycopg.Connection[Any], query: str) -> set[str]:
    return {name for (name,) in connection.execute(query).fetchall()}


@pytest.fixture
def as_distributed(superuser: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A transaction in which the policies and functions are those of a distributed database; it locks the tables."""
    with superuser.transaction(force_rollback=True):
        superuser.execute("set local role tessera_owner")
        for script in (*distribution_scripts("first"), *distribution_scripts("always")):
            superuser.execute(script.encode())
        superuser.execute("reset role")
        yield superuser


def visible(
    connection: psycopg.Connection[Any], organization: UUID, *, partner: str = "", uses: str = ""
) -> dict[str, list[str]]:
    """The rows of each table that a transaction sees without a condition."""
    settings = {"organization_id": organization, "partner_id": partner, "uses_of_global_codes": uses}
    with connection.transaction(force_rollback=True):
        connection.execute("set local role tessera_app")
        for name, value in settings.items():
            connection.execute(f"set local app.{name} = '{value}'")
        return {table: rows_of(connection, table) for table in COLUMNS}


def rows_of(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """The visible rows as text, without the column that the distribution fills."""
    query = f"select (to_jsonb(t) - 'visible_to')::text from {table} t order by 1"
    return [row for (row,) in connection.execute(query)]


@pytest.fixture
async def partners(resources: Resources, tenant: Tenant) -> tuple[UUID, UUID]:
    """A partner, and another one; four programs are open to all, to one of them, or bought by the first before."""
    partner, other = await add_partner(resources, tenant, "Acme"), await add_partner(resources, tenant, "Other")
    tiers: dict[str, Any] = {"discounts": ((10, 5),), "email_domains": ("example.com",)}
    theirs = {"is_available_to_all_partners": False, "partner_ids": (other,)}
    await add_program(resources, tenant, "Open", **tiers)
    await add_program(resources, tenant, "Its", is_available_to_all_partners=False, partner_ids=(partner,), **tiers)
    await add_program(resources, tenant, "Hidden", **theirs, **tiers)
    bought = await add_program(resources, tenant, "Bought", **theirs, **tiers)
    await add_purchase(resources, tenant, partner, bought, "VP-1", status=PurchaseStatus.COMPLETE)
    return partner, other


@pytest.fixture
async def global_code(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any], tenant: Tenant
) -> str:
    """The name of a global code that the organization has redeemed."""
    name = f"G{uuid4().hex[:12].upper()}"
    code = percent_code(tenant, name, store_exam_ids=(), max_redemptions=5)
    await add_promo_codes(resources, add_platform(superuser, tenant), code, now=NOW)
    await create_redemption(client, tenant, name, "RSV-1")
    return name


def test_policies_have_no_subselect_after_the_distribution(as_distributed: psycopg.Connection[Any]) -> None:
    assert names(as_distributed, SUBSELECTS) == set()


def test_no_policy_is_restrictive_after_the_distribution(as_distributed: psycopg.Connection[Any]) -> None:
    # Citus makes it a permissive one on the nodes, which shows the rows of all organizations.
    assert names(as_distributed, "select polrelid::regclass::text from pg_policy where not polpermissive") == set()


def test_a_restriction_that_would_vanish_is_refused(superuser: psycopg.Connection[Any]) -> None:
    policies = next(script for script in distribution_scripts("always") if "alter policy tenant on '" in script)
    with superuser.transaction(force_rollback=True):
        superuser.execute("alter policy tenant on store_exams rename to other")
        with pytest.raises(psycopg.errors.RaiseException, match="has no policy that it could become a part of"):
            superuser.execute(policies.encode())


def changed_rows(connection: psycopg.Connection[Any], organization: UUID, partner: str, statement: str) -> int | None:
    """The rows that a statement without a condition changes; None if it is rejected."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set local role tessera_app")
            connection.execute(f"set local app.organization_id = '{organization}'")
            connection.execute(f"set local app.partner_id = '{partner}'")
            return connection.execute(statement.encode(), [organization]).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return None


@pytest.mark.parametrize(
    ("statement", "counts"),
    [
        ("update store_exams set price = price where %s is not null", [3, 0]),
        ("delete from product_bundle_store_exams where %s is not null", [2, 0]),
        (
            "insert into product_bundles (organization_id, id, name, price, created_at, version, status)"
            " select %s, id, 'X' || id, 1, now(), 1, 'Active' from store_exams",
            [3, None],
        ),
    ],
)
def test_partners_write_no_more_after_the_distribution(
    tenant: Tenant,
    partners: tuple[UUID, UUID],
    superuser: psycopg.Connection[Any],
    request: pytest.FixtureRequest,
    statement: str,
    counts: list[int | None],
) -> None:
    def changes() -> list[int | None]:
        return [changed_rows(superuser, tenant.id, partner, statement) for partner in ("", str(partners[0]))]

    assert changes() == counts
    request.getfixturevalue("as_distributed")
    assert changes() == counts


def test_everybody_sees_the_same_rows_after_the_distribution(
    superuser: psycopg.Connection[Any],
    tenant: Tenant,
    other_tenant: Tenant,
    partners: tuple[UUID, UUID],
    global_code: str,
    request: pytest.FixtureRequest,
) -> None:
    callers = [
        (tenant.id, ""),
        (tenant.id, str(partners[0])),
        (tenant.id, str(partners[1])),
        (other_tenant.id, ""),
        (PLATFORM_ID, ""),
    ]
    before = [visible(superuser, organization, partner=partner) for organization, partner in callers]
    request.getfixturevalue("as_distributed")
    assert [visible(superuser, organization, partner=partner) for organization, partner in callers] == before
    assert [len(before[1][table]) for table in ("voucher_programs", "voucher_program_discounts", "vouchers")] == [
        3,
        3,
        0,
    ]
    assert global_code in str(before[0]["redemptions"])


@pytest.mark.parametrize("table", ["redemptions", "redemption_ledger"])
def test_only_functions_that_pin_the_platform_see_uses_of_its_codes_elsewhere(
    tenant: Tenant, other_tenant: Tenant, global_code: str, as_distributed: psycopg.Connection[Any], table: str
) -> None:
    def sees(organization: UUID, **settings: str) -> bool:
        return global_code in str(visible(as_distributed, organization, **settings)[table])

    assert sees(tenant.id)
    assert sees(PLATFORM_ID, uses="visible")
    assert not sees(PLATFORM_ID)
    assert not sees(PLATFORM_ID, uses="visible", partner=str(uuid4()))
    assert not sees(other_tenant.id, uses="visible")


def test_functions_with_the_owners_rights_only_read(as_distributed: psycopg.Connection[Any]) -> None:
    # A node accepts the writes of one transaction from one role only. Deletions are transactions of their own.
    writes = r"\m(?:insert into|delete from|update [a-z_]+ [a-z]+\s+set|for (?:no key )?update)\M"
    assert names(as_distributed, f"select proname {FUNCTIONS} and prosecdef and prosrc ~* '{writes}'") == {
        "delete_idempotency_keys",
        "delete_organization_rows",
        "drop_redemptions",
    }


def test_functions_with_parameters_are_not_inlined(as_distributed: psycopg.Connection[Any]) -> None:
    # The distributed planner finds no node for a query from the body of a SQL function. No request calls these two.
    sql_functions = "prolang = (select oid from pg_language where lanname = 'sql') and pronargs > 0"
    assert names(as_distributed, f"select proname {FUNCTIONS} and {sql_functions}") == {
        "delete_idempotency_keys",
        "list_unrolled_organizations",
    }


def readers(attribute: str) -> list[str]:
    """The places that read this attribute."""
    return [
        f"{name_of(file)}:{node.lineno}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and node.attr == attribute
    ]


def test_nothing_counts_rows_by_the_driver() -> None:
    # Citus reports the rows of a query that was inserted, including those that met a conflict.
    assert readers("rowcount") == []


def test_nothing_recognizes_an_error_by_its_constraint() -> None:
    # The constraint of a shard has another name, and an error of a node has none.
    assert readers("constraint_name") == []
