"""Who calls is found before anything else, in one statement for all organizations that requests name."""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.identity.authentication.credentials import parse_key

ARGUMENTS = "array['key'], array[%s::uuid], array[%s::uuid], array[null]::inet[]"


def invented(tenant: Tenant) -> list[dict[str, str]]:
    """A key, a key with a wrong secret, and a token, which all name the organization."""
    name = parse_key(tenant.key.secret).name
    return [
        {"cv-api-key": type(name)(tenant.id, tenant.bundle_id).text("tsk_") + "_" + "x" * 43},
        {"cv-api-key": tenant.key.secret[:-1] + ("a" if tenant.key.secret[-1] != "a" else "b")},
    ]


async def test_an_unknown_credential_opens_no_transaction_and_enters_no_batch(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    for headers in invented(tenant):
        with record_statements(resources.database) as sent:
            answer = await client.post("/storefront/v1/redemptions", headers=headers, content=b"{")
        assert (answer.status_code, [each.text.split()[0] for each in sent]) == (401, ["select"])


async def test_callers_of_many_organizations_are_identified_together_and_not_confused(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    wrong = invented(tenant)[1]
    headers = [tenant.api_key, other_tenant.bearer, wrong, other_tenant.api_key] * 20
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(*(client.get("/storefront/v1/redemptions", headers=each) for each in headers))
    assert [answer.status_code for answer in answers] == [200, 200, 401, 200] * 20
    assert sum("find_callers" in each.text for each in sent) <= 10


def found(connection: psycopg.Connection[Any], function: str, organization: Tenant, key: Tenant) -> list[Any]:
    values = [organization.id, parse_key(key.key.secret).name.id]
    with connection.transaction():
        return connection.execute(f"select id from {function}({ARGUMENTS})", values).fetchall()


def test_a_key_is_found_in_its_own_organization_by_either_lock_alone(
    superuser: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    # The clause: a superuser is bound by no row-level security.
    assert found(superuser, "find_callers", tenant, tenant) != []
    assert found(superuser, "find_callers", other_tenant, tenant) == []
    # Row-level security: the same function without its clauses, for the role that is bound.
    query = "select pg_get_functiondef('find_callers(text[], uuid[], uuid[], inet[])'::regprocedure)"
    (text,) = superuser.execute(query).fetchone() or ("",)
    unguarded = text.replace("find_callers", "find_any_caller", 1)
    for alias in "kct":
        unguarded = unguarded.replace(f"{alias}.organization_id = organization_ids[n] and", "")
    with superuser.transaction(force_rollback=True):
        superuser.execute(unguarded)
        assert found(superuser, "find_any_caller", other_tenant, tenant) != []
        superuser.execute("set local role tessera_app")
        assert found(superuser, "find_any_caller", tenant, tenant) != []
        assert found(superuser, "find_any_caller", other_tenant, tenant) == []


@pytest.mark.parametrize("pinned", ["", "00000000-0000-0000-0000-000000000001"])
def test_finding_callers_leaves_no_organization_pinned(
    superuser: psycopg.Connection[Any], tenant: Tenant, pinned: str
) -> None:
    with superuser.transaction():
        superuser.execute("select set_config('app.organization_id', %s, true)", [pinned])
        superuser.execute(f"select from find_callers({ARGUMENTS})", [tenant.id, tenant.bundle_id])
        assert superuser.execute("select current_setting('app.organization_id')").fetchone() == ("",)
