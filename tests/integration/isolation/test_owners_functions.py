"""Every function, called by a tenant with its neighbour's arguments, by nobody, and rightly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, add_platform, add_promo_codes, create_tenant, percent_code
from tests.support.redemption_requests import CANDIDATE, create_redemption
from tests.support.tenant_clauses import COLUMNS
from tests.support.voucher_factories import add_partner, add_program, add_purchase

from tessera.api.serving.resources import Resources
from tessera.identity.authentication.credentials import parse_key
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.provision import Addresses
from tessera.vouchers.rules import PurchaseStatus

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LATER = NOW + timedelta(days=400)
# Functions whose result is about the callers' own credentials or codes; all others are for the platform.
FOR_TENANTS = {
    "count_promo_code_uses",
    "drop_redemptions",
    "expire_lapsed_holds",
    "find_persons",
    "find_promo_code_shares",
    "find_promo_code_usability",
    "find_promo_codes_for_storefront",
    "find_shared_addresses",
    "lock_limited_promo_codes",
    "lock_promo_codes",
    "look_up_global_promo_code",
    "look_up_promo_codes",
    "recount_promo_codes",
}
# The last release, which does not support Citus, calls the first two; the application may not call the third.
NOT_ON_CITUS = {"find_promo_code_usability", "find_promo_codes_for_storefront", "validate_global_promo_code"}
OF_GLOBAL_CODES = {
    "find_promo_code_shares",
    "look_up_global_promo_code",
    "sum_holds_of_global_code",
    "sum_ledger_by_organization",
    "sum_ledger_of_global_codes",
}
SETTINGS = """
select nullif(current_setting('app.organization_id', true), '')::uuid,
       coalesce(current_setting('app.uses_of_global_codes', true), '')
"""


@dataclass
class Side:
    """An organization with a limited code, a lapsed hold, a waiting purchase, an overdue checkout and old keys."""

    tenant: Tenant
    code_id: UUID = field(init=False)
    only_name: str = field(default_factory=lambda: f"ONLY{uuid4().hex[:8]}")


async def furnish(client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any]) -> Side:
    side = Side(await create_tenant(resources, now=NOW))
    tenant = side.tenant
    code = percent_code(tenant, "SHARED", max_redemptions_per_candidate=5)
    side.code_id = code.id
    await add_promo_codes(resources, tenant, code, percent_code(tenant, side.only_name), now=NOW)
    await create_redemption(client, tenant, "SHARED", "RSV-1")
    await create_redemption(client, tenant, "SHARED", "RSV-2", holdSeconds=1)
    partner = await add_partner(resources, tenant, "Acme")
    program = await add_program(resources, tenant, "Open")
    await add_purchase(resources, tenant, partner, program, "VP-1", status=PurchaseStatus.VOUCHER_CREATION)
    overdue = {"status": PurchaseStatus.CHECKOUT_IN_PROGRESS}
    checkout = await add_purchase(resources, tenant, partner, program, "VP-2", **overdue)
    superuser.execute("update voucher_purchases set checkout_expires_at = %s where id = %s", [NOW, checkout])
    superuser.execute("insert into organization_deletions values (%s, '', now(), now(), now())", [tenant.id])
    superuser.execute(
        "insert into idempotency_keys values (%s, gen_random_uuid(), 'key', '', 200, '', '1970-01-01')", [tenant.id]
    )
    return side


@pytest.fixture
async def own(client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any]) -> Side:
    return await furnish(client, resources, superuser)


@pytest.fixture
async def theirs(
    own: Side, client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any]
) -> Side:
    return await furnish(client, resources, superuser)


@pytest.fixture
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the application's role."""
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:
        yield connection


def functions(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """The functions in the catalog, with the names of their parameters.

    Those of the job queue know no organization, `hold_organization` returns nothing, `find_callers` pins each
    organization that a credential names, and `drop_audit_entries` raises an error for kept entries.
    """
    rows = connection.execute(
        "select proname, coalesce(proargnames[:pronargs], '{}') from pg_proc"
        " where pronamespace = 'public'::regnamespace"
        " and proname !~ '^(procrastinate|hold_organization$|find_callers$|drop_audit_entries$)'"
    )
    return {name: arguments for name, arguments in rows if not (citus.COORDINATOR and name in NOT_ON_CITUS)}


def arguments(names: list[str], of: Side, *, digest_of: Side | None = None) -> list[Any]:
    """Arguments that name everything of an organization, with the digest of a key of it or of another one."""
    key, digest = parse_key(of.tenant.key.secret), parse_key((digest_of or of).tenant.key.secret).digest
    values = {
        "addresses": [None],
        "as_of": LATER,
        "bundle_id": of.tenant.bundle_id,
        "bundle_ids": [of.tenant.bundle_id],
        "closed_until": LATER.date(),
        "code_id": of.code_id,
        "code_ids": [of.code_id],
        # One name that both organizations use, and one that only this one uses.
        "code_key": "shared",
        "code_keys": ["shared", of.only_name.lower()],
        "created_before": NOW,
        "created_from": NOW - timedelta(days=100_000),
        "email_key": CANDIDATE["email"],
        "email_keys": [CANDIDATE["email"]],
        "exam_id": of.tenant.exam_ids["NCA-GENL"],
        "exam_ids": [of.tenant.exam_ids["NCA-GENL"]],
        "expired_before": LATER,
        "held": [1],
        "key_digests": [digest, digest],
        "key_ids": [key.name.id] * 2,
        "organization_ids": [of.tenant.id] * 2,
        "own_ids": ["another"],
        "person_id": CANDIDATE["personId"],
        "person_ids": [CANDIDATE["personId"]],
        "purchased_before": LATER,
        "redeemed": [1],
        "size": 10_000,
        "wanted_id": of.tenant.id,
        "at_most": 1,
        "wanted_name": None,
        "wanted_table": "redemption_ledger",
    }
    return [values[name] for name in names]


def call(
    connection: psycopg.Connection[Any], name: str, values: list[Any], *, pinned: UUID | None
) -> list[tuple[Any, ...]]:
    """The rows that a function returns to an organization, or to nobody; its changes stay, but none of its settings."""
    query = sql.SQL("select * from {}({})").format(
        sql.Identifier(name), sql.SQL(", ").join(sql.Placeholder() * len(values))
    )
    with connection.transaction():
        if pinned is not None:
            connection.execute(f"set local app.organization_id = '{pinned}'")
        rows = connection.execute(query, values).fetchall()
        assert name == "find_callers" or connection.execute(SETTINGS).fetchone() == (pinned, ""), name
    return rows


def rows_of(connection: psycopg.Connection[Any], *sides: Side) -> dict[str, str]:
    """All rows of these organizations as text, by table."""
    tenants = [side.tenant.id for side in sides]
    return {
        table: "\n".join(
            text
            for (text,) in connection.execute(
                f"select t::text from {table} t where {column} = any (%s) order by 1", [tenants]
            )
        )
        for table, column in COLUMNS.items()
    }


def named(rows: object, of: Side, connection: psycopg.Connection[Any], *, except_for: object) -> set[str]:
    """The ids of an organization that a result contains, apart from those of the arguments."""
    theirs = set(UUIDS.findall(str(rows_of(connection, of))))
    return theirs & set(UUIDS.findall(str(rows))) - set(UUIDS.findall(str(except_for)))


def test_the_functions_in_the_catalog_are_known(superuser: psycopg.Connection[Any]) -> None:
    assert functions(superuser).keys() >= FOR_TENANTS - (NOT_ON_CITUS if citus.COORDINATOR else set())
    assert len(functions(superuser)) >= 12


def test_a_tenant_reaches_nothing_of_its_neighbour(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], own: Side, theirs: Side
) -> None:
    before = rows_of(superuser, theirs)
    for name, parameters in functions(superuser).items():
        values = arguments(parameters, theirs, digest_of=own)
        rows = call(application, name, values, pinned=own.tenant.id)
        assert named(rows, theirs, superuser, except_for=values) == set(), name
        assert name in FOR_TENANTS or rows in ([], [(0,)]), name
        assert rows_of(superuser, theirs) == before, name


def test_a_tenants_results_do_not_depend_on_its_neighbour(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], own: Side, request: pytest.FixtureRequest
) -> None:
    readers = [name for name in functions(superuser) if name.startswith(("find_promo", "look_up_promo"))]
    calls = [(name, arguments(functions(superuser)[name], own)) for name in readers]
    results = [call(application, name, values, pinned=own.tenant.id) for name, values in calls]
    assert {name: len(rows) for name, rows in zip(readers, results, strict=True)} == {
        name: 0 if name in OF_GLOBAL_CODES else 2 for name in readers
    }
    request.getfixturevalue("theirs")
    assert [call(application, name, values, pinned=own.tenant.id) for name, values in calls] == results


def add_twin(connection: psycopg.Connection[Any], of: Side) -> UUID:
    """Copy the rows of an organization, with their ids, to another one, as an import does; returns its id."""
    twin = uuid4()
    with connection.transaction():
        connection.execute("set local session_replication_role = 'replica'")
        for table in COLUMNS:
            rows = connection.execute(
                "select attname, atttypid = 'uuid'::regtype from pg_attribute where attrelid = %s::regclass"
                " and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = ''",
                [table],
            ).fetchall()
            names = [sql.Identifier(name) for name, _ in rows]
            values = [
                sql.SQL("case {0} when %(of)s then %(twin)s::uuid else {0} end" if is_id else "{0}").format(name)
                for name, (_, is_id) in zip(names, rows, strict=True)
            ]
            query = "insert into {0} ({1}) select {2} from {0} where {3} = %(of)s on conflict do nothing"
            lists = [sql.SQL(", ").join(each) for each in (names, values)]
            parts = (sql.Identifier(table), *lists, sql.Identifier(COLUMNS[table]))
            connection.execute(sql.SQL(query).format(*parts), {"of": of.tenant.id, "twin": twin})
    return twin


@citus.plain_postgres_only("a transaction writes as one role only, and the copy is a superuser's")
async def test_a_function_tells_organizations_with_the_same_ids_apart_without_row_level_security(
    superuser: psycopg.Connection[Any], resources: Resources, own: Side
) -> None:
    tenant = own.tenant
    partner = await add_partner(resources, tenant, "Twin")
    rights = [FunctionPoint.PARTNER_MANAGE_VOUCHERS]
    superuser.execute(
        "update users set partner_id = %s, function_points = %s where organization_id = %s",
        [partner, rights, tenant.id],
    )
    kinds = {"key": tenant.key.id, "client": tenant.client.id, "token": tenant.token.id}
    callers = [list(kinds), [tenant.id] * 3, list(kinds.values()), [None] * 3]
    calls = {"find_callers": callers} | {
        name: arguments(parameters, own)
        for name, parameters in functions(superuser).items()
        if name.startswith(("find_", "look_up_", "validate_", "recount_"))
    }
    results = {name: call(superuser, name, values, pinned=tenant.id) for name, values in calls.items()}
    assert len(results["find_callers"]) == 3
    with superuser.transaction(force_rollback=True):  # jobs of other tests would find the work of the twin
        twin = add_twin(superuser, own)
        copied = {table for table, owner in COLUMNS.items() if is_in(superuser, table, owner, twin)}
        assert {"voucher_partners", "promo_codes", "redemptions", "store_exams", "users", "issued_tokens"} <= copied
        for name, values in calls.items():
            assert (name, call(superuser, name, values, pinned=tenant.id)) == (name, results[name])


def is_in(connection: psycopg.Connection[Any], table: str, owner: str, organization: UUID) -> bool:
    query = sql.SQL("select exists (select from {} where {} = %s)").format(sql.Identifier(table), sql.Identifier(owner))
    return connection.execute(query, [organization]).fetchone() == (True,)


def test_nobody_reaches_anything(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], own: Side, theirs: Side
) -> None:
    before = rows_of(superuser, own, theirs)
    for name, parameters in functions(superuser).items():
        # Readers without a tenant present the digest of a key instead.
        values = arguments(parameters, own, digest_of=theirs)
        rows = call(application, name, values, pinned=None)
        assert named(rows, own, superuser, except_for=values) == set(), name
        assert name in FOR_TENANTS or rows in ([], [(0,)]), name
        assert rows_of(superuser, own, theirs) == before, name


def test_the_right_caller_gets_a_result_from_every_function(
    application: psycopg.Connection[Any], superuser: psycopg.Connection[Any], own: Side
) -> None:
    # Otherwise the tests above would pass with functions that do nothing.
    add_platform(superuser, own.tenant)
    # The function that deletes what another one lists comes last.
    for name, parameters in sorted(functions(superuser).items(), key=lambda item: item[0].startswith("delete_")):
        # Other tests leave more lapsed holds than one call lists; the oldest come first. Some functions end the hold.
        superuser.execute(
            "update redemptions set held_until = '1970-01-01', status = 'Held'"
            " where held_until is not null and organization_id = %s",
            [own.tenant.id],
        )
        superuser.execute("update promo_codes set held_count = 1 where id = %s", [own.code_id])
        # Only the rows of a frozen organization without access can be deleted.
        ends = name == "delete_organization_rows"
        superuser.execute(
            "update organizations set is_active = not %(ends)s, frozen_at = %(frozen_at)s where id = %(id)s",
            {
                "ends": ends,
                "frozen_at": NOW if ends else None,
                "id": own.tenant.id,
            },
        )
        before = rows_of(superuser, own)
        pinned = own.tenant.id if name in FOR_TENANTS else PLATFORM_ID
        rows = call(application, name, arguments(parameters, own), pinned=pinned)
        if name in OF_GLOBAL_CODES | {"drop_redemptions", "list_retention_settings", "list_unrolled_organizations"}:
            continue  # the next test, those of shares in global codes and of retention, and nothing for an old release
        changes = name.startswith(("count_", "delete_", "expire_", "lock_"))
        assert (rows_of(superuser, own) != before) == changes, name
        texts = (str(own.tenant.id), str(own.code_id), CANDIDATE["personId"], CANDIDATE["email"])
        assert changes or any(text in str(rows) for text in texts), name


def test_a_partners_user_reaches_no_candidates(application: psycopg.Connection[Any], own: Side) -> None:
    calls = {
        "find_persons": [[CANDIDATE["personId"]], [CANDIDATE["email"]]],
        "find_shared_addresses": [["another"], [CANDIDATE["email"]]],
    }
    for name, values in calls.items():
        assert call(application, name, values, pinned=own.tenant.id) != []
        with application.transaction():
            application.execute(f"set local app.partner_id = '{uuid4()}'")
            assert call(application, name, values, pinned=own.tenant.id) == [], name


async def test_uses_of_a_global_code_count_for_each_candidate_of_one_organization(
    application: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    client: httpx.AsyncClient,
    resources: Resources,
    own: Side,
    theirs: Side,
) -> None:
    name = f"GLOBAL{uuid4().hex[:8]}"
    limits = {"store_exam_ids": (), "max_redemptions": None, "max_redemptions_per_candidate": 2}
    await add_promo_codes(
        resources, add_platform(superuser, own.tenant), percent_code(own.tenant, name, **limits), now=NOW
    )
    await create_redemption(client, theirs.tenant, name, "RSV-3")
    ask = "select candidate_uses from look_up_promo_codes(%s, %s, %s, %s, %s, %s)"
    values = [[name.lower()], [None], [None], [None], [CANDIDATE["personId"]], NOW]
    uses = {}
    for side in (own, theirs):
        with application.transaction():
            application.execute(f"set local app.organization_id = '{side.tenant.id}'")
            uses[side.tenant.id] = application.execute(ask, values).fetchall()
    assert uses == {own.tenant.id: [(0,)], theirs.tenant.id: [(1,)]}
    sums = call(application, "sum_ledger_of_global_codes", [], pinned=PLATFORM_ID)
    assert [(redeemed, held) for code_id, redeemed, held in sums if code_id == code_of(superuser, name)] == [(1, 0)]


def code_of(connection: psycopg.Connection[Any], name: str) -> UUID:
    row = connection.execute("select id from promo_codes where name = %s", [name]).fetchone()
    assert row is not None
    return UUID(str(row[0]))
