"""The audit log through the management API."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
)
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals

URL = f"{ROOT}/audit-entries"


@pytest.fixture
async def tenant_with_changes(client: httpx.AsyncClient, tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with an exam that is changed in the second hour and archived in the third."""
    url = f"{ROOT}/store-exams/{tenant.exam_ids['CLD-100']}"
    clock.advance(hours=1)
    await client.put(url, json={"name": "Cloud", "price": 1}, headers=if_match(1, tenant))
    clock.advance(hours=1)
    await client.post(f"{url}/archive", headers=if_match(2, tenant))
    return tenant


async def list_entries(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{URL}?{query}", headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    for url in (URL, f"{URL}/{UUID(int=7)}"):
        expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
        assert status_and_body(await client.get(url, headers=headers)) == expected


async def test_a_change_is_listed_with_its_actor_time_before_and_after(
    client: httpx.AsyncClient, tenant_with_changes: Tenant, resources: Resources
) -> None:
    exam_id = str(tenant_with_changes.exam_ids["CLD-100"])
    archived, updated = (await list_entries(client, tenant_with_changes, f"entityId={exam_id}"))[:2]
    user_id = archived["actor"]["id"]
    token = {"tokenId": str(tenant_with_changes.token.id), "tokenIssuer": "tessera"}
    before = {
        "id": exam_id,
        "code": "CLD-100",
        "name": "Cloud",
        "price": "1.00",
        "status": "Active",
        "createdAt": "2026-06-15T12:00:00+00:00",
        "version": 2,
    }
    expected = {
        "id": archived["id"],
        "at": "2026-06-15T14:00:00Z",
        "actor": {"kind": "User", "id": user_id, "name": tenant_with_changes.user_email, **token},
        "action": "Archived",
        "kind": "StoreExam",
        "entityId": exam_id,
        "before": before,
        "after": before | {"status": "Archived", "version": 3},
        "position": None,
    }
    assert archived == expected
    assert (updated["action"], updated["after"]) == ("Updated", before)
    async with resources.database.unit_of_work(tenant_with_changes.id) as work:
        sealed = (await seals.seal(work, [work.organization_id], now=NOW))[work.organization_id].done
    answer = await client.get(f"{URL}/{archived['id']}", headers=tenant_with_changes.bearer)
    assert status_and_body(answer) == (200, expected | {"position": sealed})


async def test_the_log_is_newest_first_by_cursor_and_filtered(
    client: httpx.AsyncClient, tenant_with_changes: Tenant
) -> None:
    everything = await list_entries(client, tenant_with_changes)
    assert [entry["action"] for entry in everything[:2]] == ["Archived", "Updated"]
    assert [entry["at"] for entry in everything] == sorted((entry["at"] for entry in everything), reverse=True)
    part = (await client.get(f"{URL}?limit=2", headers=tenant_with_changes.bearer)).json()
    following = (await client.get(part["nextLink"], headers=tenant_with_changes.bearer)).json()
    assert part["data"] + following["data"] == everything[:4]
    for query, actions in (
        ("since=2026-06-15T13:00:00Z", ["Archived", "Updated"]),
        ("since=2026-06-15T13:00:00Z&until=2026-06-15T14:00:00Z", ["Updated"]),
        ("action=Archived", ["Archived"]),
        ("kind=StoreExam&actorName=ada@example.com", ["Archived", "Updated"]),
        ("kind=Nothing", []),
    ):
        assert [entry["action"] for entry in await list_entries(client, tenant_with_changes, query)] == actions


async def test_entries_of_one_instant_are_each_shown_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    everything = await list_entries(client, tenant)
    assert {entry["at"] for entry in everything} == {"2026-06-15T12:00:00Z"}
    assert len(everything) > 5
    url, shown = f"{URL}?limit=2", []
    while url is not None:
        page = (await client.get(url, headers=tenant.bearer)).json()
        shown += page["data"]
        url = page["nextLink"]
    assert shown == everything


async def test_another_organizations_log_is_not_there(
    client: httpx.AsyncClient, tenant_with_changes: Tenant, other_tenant: Tenant
) -> None:
    theirs = (await list_entries(client, tenant_with_changes))[0]
    answer = await client.get(f"{URL}/{theirs['id']}", headers=other_tenant.bearer)
    assert status_and_body(answer) == not_found("There is no such entry.")
    assert await list_entries(client, other_tenant, f"entityId={theirs['entityId']}") == []


async def test_everything_that_is_wrong_with_a_query_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?since=x&entityId=y&limit=0", headers=tenant.bearer)
    words = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00."
    assert status_and_body(answer) == invalid(
        ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
        ("/since", "NotDateTime", f"since {words}"),
        ("/entityId", "NotUuid", "entityId must be a UUID."),
    )
