"""Requests to the management API, and what is told about them."""

from typing import Any

import httpx
import psycopg
from tests.factories import Tenant

ROOT = "/management/v1"
LACKING = "The function point ManageOrganization is required."


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"type": f"urn:tessera:problem:{kind}", "title": title, "status": status, "detail": detail, **more}
    return status, body


def invalid(*errors: tuple[str, str, str]) -> tuple[int, dict[str, Any]]:
    listed = [{"pointer": pointer, "code": code, "detail": detail} for pointer, code, detail in errors]
    title = "The request breaks rules"
    return problem(400, "validation-failed", title, f"{len(errors)} in all.", errors=listed)


def not_found(detail: str) -> tuple[int, dict[str, Any]]:
    return problem(404, "not-found", "Not found", detail)


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def at(version: int | str, tenant: Tenant) -> dict[str, str]:
    """Headers of a user of the tenant who has read this version."""
    return tenant.bearer | {"If-Match": version if isinstance(version, str) else f'"{version}"'}


async def powerless(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, str]:
    """Headers of a client without any right."""
    credentials = (tenant.powerless_client.name, str(tenant.powerless_client.secret))
    token = (await client.get("/authenticate", auth=credentials)).json()["authToken"]
    return {"Authorization": f"Bearer {token}"}


def recorded(superuser: psycopg.Connection, tenant: Tenant, kind: str) -> list[tuple[Any, ...]]:
    """What the audit log says of this kind of thing: actor, action, before and after, oldest first."""
    return superuser.execute(
        "select actor_kind, actor_name, action, before, after from audit_entries"
        " where organization_id = %s and entity_kind = %s order by id",
        [tenant.id, kind],
    ).fetchall()
