"""Every write of the management API is recorded in the audit log, exactly once, and locks the rows that it changes."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.support.factories import create_tenant
from tests.support.journeys import Journey, Operation, begin_journey
from tests.support.management_requests import ROOT, platform_administrator
from tests.support.recording import Statement, record_statements
from tests.support.row_locks import rows_in

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

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
    "erasure": "Erased",
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
    f"{ROOT}/voucher-purchases/{{voucherPurchaseId}}/assignments": ["Assigned", "Revealed"],
    f"{ROOT}/vouchers/bulk": ["Assigned", "Assigned"],
}

# Totals that are changed by a difference, in one statement, and rows that change with their program, which is locked.
UNLOCKED = {
    "voucher_totals",
    "voucher_program_discounts",
    "voucher_program_email_domains",
    "voucher_program_store_exams",
}
# Operations that create something below a parent.
CREATIONS = {
    f"POST {ROOT}/organizations/{{organizationId}}/administrators",
    f"POST {ROOT}/voucher-partners/{{voucherPartnerId}}/users",
}


def expected_actions(method: str, path: str) -> list[str]:
    if path in EXCEPTIONS:
        return EXCEPTIONS[path]
    if method == "PUT":
        return [ACTIONS[method]]
    parent, _, last = path.rpartition("/")
    return [ACTIONS[last]] if parent.endswith("}") else ["Created"]


@dataclass
class Writes:
    """What each write of the management API recorded, the rows that it locked, and those that it updated without it."""

    recorded: dict[Operation, list[tuple[str, str]]] = field(default_factory=dict)
    locked: dict[str, set[str]] = field(default_factory=dict)
    shared: dict[str, set[str]] = field(default_factory=dict)
    unlocked: dict[str, set[str]] = field(default_factory=dict)

    def note(self, operation: Operation, sent: list[Statement], entries: list[tuple[str, str]]) -> None:
        name = " ".join(operation)
        self.recorded[operation] = entries
        locked = set[str]()
        for statement in sent:
            if statement.text.lower().startswith("begin"):
                locked = set()
            rows = rows_in(statement.text)
            locked |= rows.locked
            self.unlocked.setdefault(name, set()).update(rows.updated - locked)
            self.locked.setdefault(name, set()).update(rows.locked)
            self.shared.setdefault(name, set()).update(rows.shared)


@pytest.fixture(scope="module")
async def writes(app: FastAPI, resources: Resources, addresses: Addresses) -> Writes:
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        platform = await platform_administrator(resources, superuser)
        tenant = await create_tenant(resources, now=NOW)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            journey = await begin_journey(client, resources, tenant, app.openapi(), platform)
            return await write_all(journey, resources, superuser)


async def write_all(journey: Journey, resources: Resources, superuser: psycopg.Connection[Any]) -> Writes:
    writes, seen = Writes(), set[Any]()

    def new_entries() -> list[tuple[str, str]]:
        rows = superuser.execute("select id, action, actor_kind from audit_entries order by id").fetchall()
        entries = [(action, kind) for entry_id, action, kind in rows if entry_id not in seen]
        seen.update(entry_id for entry_id, *_ in rows)
        return entries

    for method, path in journey.operations:
        if path.startswith(ROOT) and method != "GET":
            parents = await journey.prepare(path)
            new_entries()
            with record_statements(resources.database) as sent:
                await journey.send(method, path, parents)
            writes.note((method, path), sent, new_entries())
    return writes


def test_every_write_is_recorded_once_with_its_action_and_its_actor(writes: Writes) -> None:
    expected = {each: [(action, "User") for action in expected_actions(*each)] for each in writes.recorded}
    assert writes.recorded == expected
    assert len(writes.recorded) >= 60


def some(tables: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: found - UNLOCKED for name, found in tables.items() if found - UNLOCKED}


def test_every_write_locks_the_rows_that_it_updates(writes: Writes) -> None:
    """Without the lock, two writes at once both find the version that they expect, and one is lost."""
    assert some(writes.unlocked) == {f"POST {ROOT}/voucher-programs": {"voucher_programs"}}  # which is new
    assert {name for name, tables in writes.locked.items() if "{" in name and not tables} == CREATIONS
    # Nobody closes a partner or a program while something is created for it.
    partner, program = "voucher_partners", "voucher_programs"
    assert some(writes.shared) == {
        f"POST {ROOT}/voucher-partners/{{voucherPartnerId}}/users": {partner},
        f"POST {ROOT}/voucher-purchases": {partner, program},
        f"POST {ROOT}/voucher-imports": {partner, program},
    }
