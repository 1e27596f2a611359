"""Every write of the management API is recorded in the audit log, exactly once and with its action."""

from typing import Any

import httpx
import psycopg
from fastapi import FastAPI
from tests.support.factories import Tenant
from tests.support.journeys import begin_journey
from tests.support.management_requests import ROOT, platform_administrator

from tessera.api.serving.resources import Resources

# The action of an operation by its method or by the verb at the end of its path.
ACTIONS = {
    "PUT": "Updated",
    "accept": "Accepted",
    "activate": "Activated",
    "archive": "Archived",
    "assign": "Assigned",
    "cancel": "Cancelled",
    "change-expiry": "ExpiryChanged",
    "deactivate": "Deactivated",
    "fail": "Failed",
    "pay": "Paid",
    "resume": "Resumed",
    "revoke": "Revoked",
    "rotate-secret": "Rotated",
    "switch-off": "SwitchedOff",
    "switch-on": "SwitchedOn",
    "unassign": "Unassigned",
}
# Operations with other actions, or with several entries.
EXCEPTIONS = {
    f"{ROOT}/keys/{{keyId}}/rotate": ["Rotated", "Created"],
    f"{ROOT}/organizations/{{organizationId}}/administrators": ["Created", "Issued"],
    f"{ROOT}/promo-code-campaigns/deactivate": ["Deactivated"],
    f"{ROOT}/promo-code-imports": ["Imported"],
    f"{ROOT}/tokens": ["Issued"],
    f"{ROOT}/voucher-imports": ["Created", "Imported"],
    f"{ROOT}/voucher-partners/{{voucherPartnerId}}/users": ["Invited"],
    f"{ROOT}/voucher-purchases/{{voucherPurchaseId}}/assignments": ["Assigned"],
    f"{ROOT}/vouchers/bulk": ["Assigned", "Assigned"],
}


def expected_actions(method: str, path: str) -> list[str]:
    if path in EXCEPTIONS:
        return EXCEPTIONS[path]
    if method == "PUT":
        return [ACTIONS[method]]
    parent, _, last = path.rpartition("/")
    return [ACTIONS[last]] if parent.endswith("}") else ["Created"]


async def test_every_write_is_recorded_once_with_its_action_and_its_actor(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    platform = await platform_administrator(resources, superuser)
    journey = await begin_journey(client, resources, tenant, app.openapi(), platform)
    seen: set[Any] = set()

    def new_entries() -> list[tuple[Any, ...]]:
        rows = superuser.execute("select id, action, actor_kind from audit_entries order by id").fetchall()
        entries = [(action, kind) for entry_id, action, kind in rows if entry_id not in seen]
        seen.update(entry_id for entry_id, *_ in rows)
        return entries

    recorded, expected = {}, {}
    for method, path in journey.operations:
        if path.startswith(ROOT) and method != "GET":
            parents = await journey.prepare(path)
            new_entries()
            await journey.send(method, path, parents)
            recorded[method, path] = new_entries()
            expected[method, path] = [(action, "User") for action in expected_actions(method, path)]
    assert recorded == expected
    assert len(recorded) >= 60
