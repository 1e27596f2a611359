"""Requests to the management API, and its errors."""

import functools
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint

ROOT = "/management/v1"
RIGHT_IS_MISSING = "The function point ManageOrganization is required."


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"type": f"urn:tessera:problem:{kind}", "title": title, "status": status, "detail": detail, **more}
    return status, body


def invalid(*errors: tuple[str, str, str]) -> tuple[int, dict[str, Any]]:
    details = [{"pointer": pointer, "code": code, "detail": detail} for pointer, code, detail in errors]
    title = "Validation failed"
    return problem(400, "validation-failed", title, error_count(len(errors)), errors=details)


def error_count(count: int) -> str:
    """The detail of a problem with this number of errors."""
    return "The request has 1 error." if count == 1 else f"The request has {count} errors."


def not_found(detail: str) -> tuple[int, dict[str, Any]]:
    return problem(404, "not-found", "Not found", detail)


def if_match(version: int | str, tenant: Tenant) -> dict[str, str]:
    """Headers of a user who has read this version."""
    return tenant.bearer | {"If-Match": version if isinstance(version, str) else f'"{version}"'}


async def headers_without_rights(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, str]:
    """Headers of a client without any right."""
    credentials = (tenant.powerless_client.name, str(tenant.powerless_client.secret))
    token = (await client.get("/authenticate", auth=credentials)).json()["authToken"]
    return {"Authorization": f"Bearer {token}"}


async def platform_administrator(resources: Resources, superuser: psycopg.Connection) -> dict[str, str]:
    """Headers of a user of the platform's own organization."""
    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Platform', true, now(), 1)"
        " on conflict do nothing",
        [PLATFORM_ID],
    )
    email, now = f"{uuid4()}@example.com", resources.clock()
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        rights = list(FunctionPoint)
        await provisioning.create_user(work, email=email, names=("Root", "Admin"), function_points=rights, now=now)
        token = await provisioning.issue_token(
            work, signer=resources.signer, email=email, lifetime=timedelta(days=1), now=now
        )
    return {"Authorization": f"Bearer {token.secret}"}


def audit_entries_of(superuser: psycopg.Connection, tenant: Tenant, kind: str) -> list[tuple[Any, ...]]:
    """The audit entries of this kind of record (actor, action, before, after), oldest first, with all values."""
    rows = superuser.execute(
        "select actor_kind, actor_name, action, jsonb_build_object('before', before, 'after', after), array("
        "  select json_build_array(string_to_array(ltrim(path, '/'), '/'), value) from audit_values"
        "  where organization_id = e.organization_id and entry_id = e.id"
        ") from audit_entries e where organization_id = %s and entity_kind = %s order by id",
        [tenant.id, kind],
    ).fetchall()
    for *_, states, values in rows:
        for (*parents, last), value in values:
            state = functools.reduce(lambda each, step: each[_step(each, step)], parents, states)
            state[_step(state, last)] = value
    return [(*entry, states["before"], states["after"]) for *entry, states, _ in rows]


def _step(state: Any, name: str) -> Any:
    return int(name) if isinstance(state, list) else name


async def read_all_pages(client: httpx.AsyncClient, tenant: Tenant, url: str) -> list[str]:
    """The sorted ids of a whole list, read through its links."""
    ids: list[str] = []
    for _ in range(1000):
        answer = await client.get(url, headers=tenant.bearer)
        assert answer.status_code == 200, answer.text
        ids += [each["id"] for each in answer.json()["data"]]
        url = answer.json()["nextLink"]
        if url is None:
            return sorted(ids)
    raise AssertionError("the list has more than 1,000 pages")
