"""The audit log through the management API."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import LACKING, ROOT, at, invalid, not_found, powerless, problem, told

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals

URL = f"{ROOT}/audit-entries"


@pytest.fixture
async def changed(client: httpx.AsyncClient, tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with an exam that was changed in the second hour and archived in the third."""
    url = f"{ROOT}/store-exams/{tenant.exam_ids['CLD-100']}"
    clock.advance(hours=1)
    await client.put(url, json={"name": "Cloud", "price": 1}, headers=at(1, tenant))
    clock.advance(hours=1)
    await client.post(f"{url}/archive", headers=at(2, tenant))
    return tenant


async def listed(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{URL}?{query}", headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await powerless(client, tenant)
    for url in (URL, f"{URL}/{UUID(int=7)}"):
        expected = problem(403, "function-point-missing", "The right is missing", LACKING)
        assert told(await client.get(url, headers=headers)) == expected


async def test_a_change_is_told_with_who_when_before_and_after(
    client: httpx.AsyncClient, changed: Tenant, resources: Resources
) -> None:
    exam_id = str(changed.exam_ids["CLD-100"])
    archived, updated = (await listed(client, changed, f"entityId={exam_id}"))[:2]
    user_id = archived["actor"]["id"]
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
        "actor": {"kind": "User", "id": user_id, "name": changed.user_email},
        "action": "Archived",
        "kind": "StoreExam",
        "entityId": exam_id,
        "before": before,
        "after": before | {"status": "Archived", "version": 3},
        "position": None,
    }
    assert archived == expected
    assert (updated["action"], updated["after"]) == ("Updated", before)
    async with resources.database.unit_of_work(changed.id) as work:
        sealed = await seals.seal(work, now=NOW)
    answer = await client.get(f"{URL}/{archived['id']}", headers=changed.bearer)
    assert told(answer) == (200, expected | {"position": sealed})


async def test_the_log_is_newest_first_by_cursor_and_filtered(client: httpx.AsyncClient, changed: Tenant) -> None:
    everything = await listed(client, changed)
    assert [entry["action"] for entry in everything[:2]] == ["Archived", "Updated"]
    assert [entry["at"] for entry in everything] == sorted((entry["at"] for entry in everything), reverse=True)
    part = (await client.get(f"{URL}?limit=2", headers=changed.bearer)).json()
    following = (await client.get(part["nextLink"], headers=changed.bearer)).json()
    assert part["data"] + following["data"] == everything[:4]
    for query, actions in (
        ("since=2026-06-15T13:00:00Z", ["Archived", "Updated"]),
        ("since=2026-06-15T13:00:00Z&until=2026-06-15T14:00:00Z", ["Updated"]),
        ("action=Archived", ["Archived"]),
        ("kind=StoreExam&actorName=ada@example.com", ["Archived", "Updated"]),
        ("kind=Nothing", []),
    ):
        assert [entry["action"] for entry in await listed(client, changed, query)] == actions


async def test_another_organizations_log_is_not_there(
    client: httpx.AsyncClient, changed: Tenant, other_tenant: Tenant
) -> None:
    theirs = (await listed(client, changed))[0]
    answer = await client.get(f"{URL}/{theirs['id']}", headers=other_tenant.bearer)
    assert told(answer) == not_found("There is no such entry.")
    assert await listed(client, other_tenant, f"entityId={theirs['entityId']}") == []


async def test_everything_that_is_wrong_with_a_query_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?since=x&entityId=y&limit=0", headers=tenant.bearer)
    words = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00."
    assert told(answer) == invalid(
        ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
        ("/since", "NotDateTime", f"since {words}"),
        ("/entityId", "NotUuid", "entityId must be a UUID."),
    )
