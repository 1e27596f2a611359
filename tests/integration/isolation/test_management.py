"""Two organizations that are managed side by side: with both locks, and with only one of them; and partners' users."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import RIGHT_IS_MISSING, ROOT, if_match, problem
from tests.support.narrowing import narrow
from tests.support.redemption_requests import candidate, create_redemption
from tests.support.voucher_factories import add_partner

from tessera.api.serving.resources import Resources
from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.kit.identifiers import new_id

LISTS = ("store-exams", "product-bundles", "users", "clients", "keys", "tokens", "audit-entries")


async def ids(client: httpx.AsyncClient, tenant: Tenant, name: str) -> set[str]:
    answer = await client.get(f"{ROOT}/{name}?limit=1000", headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    return {each["id"] for each in answer.json()["data"]}


@pytest.mark.parametrize("name", LISTS)
async def test_each_manager_sees_only_their_own_organization(
    guarded_client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, name: str
) -> None:
    own, theirs = [await ids(guarded_client, each, name) for each in (tenant, other_tenant)]
    assert own
    assert theirs
    assert not own & theirs
    for thing_id in theirs:
        answer = await guarded_client.get(f"{ROOT}/{name}/{thing_id}", headers=tenant.bearer)
        assert answer.status_code == 404


async def test_an_export_has_only_records_of_the_own_organization(
    guarded_client: httpx.AsyncClient,
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    # The two organizations have a user with the same address, and the same candidate.
    for each in (tenant, other_tenant):
        await add_promo_codes(resources, each, percent_code(each, "SPRING"), now=NOW)
        await create_redemption(client, each, "SPRING", candidate=candidate("P-1", email=each.user_email))
    await create_redemption(client, other_tenant, "SPRING", "RSV-2", candidate=candidate("P-2", email="p2@example.com"))
    url = f"{ROOT}/persons/P-1/export"
    own, theirs = [
        (await guarded_client.get(url, headers=each.bearer)).json()["records"] for each in (tenant, other_tenant)
    ]
    for table in ("redemptions", "reservations", "users"):
        assert len(own[table]) == len(theirs[table]) == 1
        assert own[table][0]["id"] != theirs[table][0]["id"]
    unknown = await guarded_client.get(f"{ROOT}/persons/P-2/export", headers=tenant.bearer)
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("store-exams/{exam}/archive", {}),
        ("store-exams/{exam}", {"name": "Mine", "price": 1}),
        ("product-bundles/{bundle}/archive", {}),
        ("product-bundles/{bundle}", {"name": "Mine", "price": 1, "storeExamCodes": ["CLD-100"]}),
        ("clients/{client}/revoke", {}),
        ("clients/{client}/rotate-secret", {}),
        ("keys/{key}/revoke", {}),
        ("tokens/{token}/revoke", {}),
    ],
)
async def test_no_manager_changes_what_is_theirs_not(
    guarded_client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, path: str, body: dict[str, Any]
) -> None:
    result = {
        "exam": other_tenant.exam_ids["CLD-100"],
        "bundle": other_tenant.bundle_id,
        "client": other_tenant.client.id,
        "key": other_tenant.key.id,
        "token": other_tenant.token.id,
    }
    method = "PUT" if body else "POST"
    url = f"{ROOT}/{path.format(**result)}"
    answer = await guarded_client.request(method, url, json=body, headers=if_match("*", tenant))
    assert answer.status_code == 404
    versions = await guarded_client.get(f"{ROOT}/{'/'.join(url.split('/')[3:5])}", headers=other_tenant.bearer)
    assert versions.json()["version"] == 1


@pytest.fixture
async def partners_user(resources: Resources, tenant: Tenant) -> dict[str, str]:
    """Headers of a voucher partner's user, with all rights that such a user can have."""
    partner_id = await add_partner(resources, tenant, "Acme Corp")
    email = "buyer@example.com"
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.create_user(
            work,
            email=email,
            names=("B", "B"),
            function_points=[FunctionPoint.PARTNER_MANAGE_VOUCHERS],
            partner_id=partner_id,
            now=NOW,
        )
        token = await provisioning.issue_token(
            work, signer=resources.signer, email=email, lifetime=timedelta(days=1), now=NOW
        )
    return {"Authorization": f"Bearer {token.secret}"}


async def test_a_partners_user_gets_nothing_from_any_operation(
    app: FastAPI, client: httpx.AsyncClient, partners_user: dict[str, str]
) -> None:
    refusal = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    tried = 0
    for route in iter_route_contexts(app.routes):
        path = (route.path or "").replace("{", "").replace("}", "")
        if path.startswith(ROOT) and path != f"{ROOT}/me":
            for method in route.methods or ():
                answer = await client.request(method, path, headers=partners_user)
                # The export of persons has a right of its own.
                body = answer.text.replace("ManagePersons", "ManageOrganization")
                assert (answer.status_code, json.loads(body)) == refusal, path
                tried += 1
    assert tried > 30


async def test_what_a_partners_user_does_is_recorded_and_not_shown_to_them(
    resources: Resources, tenant: Tenant
) -> None:
    partner_id = await add_partner(resources, tenant, "Globex")
    thing = new_id()
    async with resources.database.unit_of_work(tenant.id) as work:
        narrowed = await narrow(work, partner_id)
        await audit.record(narrowed, Change(action="Created", kind="Thing", id=thing), now=NOW)
        for table in ("audit_entries", "audit_unsealed", "audit_seals"):
            rows = await narrowed.connection.exec_driver_sql(f"select count(*) from {table}")
            assert rows.scalar_one() == 0
    async with resources.database.unit_of_work(tenant.id) as work:
        filters = audit.EntryFilter(entity_id=thing)
        assert len((await audit.list_by_cursor(work, filters=filters, after=None, size=10)).items) == 1
