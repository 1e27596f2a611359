"""Retention: what an organization no longer keeps goes, and everything else stays as it was."""

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError
from tests.conftest import NOW, Clock
from tests.support import citus
from tests.support.factories import Tenant, create_tenant
from tests.support.management_requests import ROOT
from tests.support.redemption_requests import act, candidate, copy_redemption, create_redemption, update_reservation
from tests.support.reporting import open_shop
from tests.support.retaining import apply, keep

from tessera.api.serving.resources import Resources
from tessera.audit import service as audit
from tessera.audit.rules import Change
from tessera.audit.seals import service as seals
from tessera.audit.seals.service import Head
from tessera.kit.db.passes import PLATFORM_ID
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.metadata import metadata
from tessera.redemptions.ledger import service as ledger
from tessera.retention import service as retention

ZELDA = candidate(
    "P-Zelda", clientCandidateId="C-Zelda", firstName="Zelda", lastName="Zelda-H", email="zelda@example.com"
)


def places_of(superuser: psycopg.Connection[Any], tenant: Tenant, text: str) -> set[str]:
    """The tables of the organization that have a row with this text."""
    return {
        table.name
        for table in metadata.sorted_tables
        if "organization_id" in table.columns
        and superuser.execute(
            f'select 1 from "{table.name}" t where organization_id = %s and t::text ilike %s',
            [tenant.id, f"%{text}%"],
        ).fetchone()
    }


async def test_candidates_become_anonymous_and_counts_stay(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection[Any]
) -> None:
    await open_shop(resources, tenant)
    await create_redemption(client, tenant, "PAID", "RSV-Zelda", candidate=ZELDA)
    await update_reservation(client, tenant, "RSV-Zelda", "Completed")
    held = await create_redemption(client, tenant, "SPRING", "RSV-2-Zelda", candidate=ZELDA, holdSeconds=60)
    await act(client, tenant, held, "release")
    report = f"{ROOT}/reports/redemptions"
    before = (await client.get(report, headers=tenant.bearer)).json()
    superuser.execute("delete from idempotency_keys where organization_id = %s", [tenant.id])
    await keep(resources, tenant, candidates_after_days=30)
    assert await apply(resources, tenant, now=NOW + timedelta(days=30)) == 0
    assert places_of(superuser, tenant, "Zelda") == {"redemptions", "reservations", "vouchers"}
    late = clock.now + timedelta(days=30, seconds=1)
    assert await apply(resources, tenant, now=late) == 2
    # The reservation that has not ended is a reference without a person now.
    assert places_of(superuser, tenant, "Zelda") == {"reservations"}
    assert await apply(resources, tenant, now=late) == 0
    assert (await client.get(report, headers=tenant.bearer)).json() == before
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await ledger.verify(work)).discrepancies == []


async def test_only_a_used_voucher_loses_its_recipient(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await open_shop(resources, tenant)
    await create_redemption(client, tenant, "PAID", "RSV-1")
    superuser.execute(
        "update vouchers set recipient_email = 'z@example.com', assigned_at = %s, reservation_code = 'RSV-1',"
        " reservation_status = 'Completed' where organization_id = %s",
        [NOW, tenant.id],
    )
    await update_reservation(client, tenant, "RSV-1", "Completed")
    await keep(resources, tenant, candidates_after_days=30)
    await apply(resources, tenant, now=NOW + timedelta(days=31))
    query = "select code, recipient_email, assigned_at from vouchers where organization_id = %s order by code"
    rows = [("PAID", None, None), ("SPARE", "z@example.com", NOW)]
    assert superuser.execute(query, [tenant.id]).fetchall() == rows


async def test_a_transaction_changes_few_rows_also_of_a_reservation_with_many_holds(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await open_shop(resources, tenant)
    held = await create_redemption(client, tenant, "SPRING", "RSV-1", holdSeconds=60)
    await act(client, tenant, held, "release")
    copy_redemption(superuser, tenant, 500, reservation="RSV-1")
    await update_reservation(client, tenant, "RSV-1", "Completed")
    await keep(resources, tenant, candidates_after_days=30)
    assert await apply(resources, tenant, now=NOW + timedelta(days=31)) == 501 + 1
    query = "select count(*) from redemptions where organization_id = %s group by xmin::text order by 1"
    assert superuser.execute(query, [tenant.id]).fetchall() == [(1,), *[(50,)] * 10]


async def test_the_log_loses_its_oldest_entries_and_verifies(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    body = {"name": "Exam", "price": 10}
    for number in range(5):
        url = f"{ROOT}/store-exams"
        assert (await client.post(url, json={"code": f"E-{number}", **body}, headers=tenant.bearer)).status_code == 201

    async def seal() -> Head:
        async with resources.database.unit_of_work(PLATFORM_ID) as work:
            await seals.seal(work, [tenant.id], now=NOW)
        async with resources.database.unit_of_work(tenant.id) as work:
            verdict = await seals.verify(work)
        assert not verdict.findings
        return verdict.head

    head = await seal()
    await keep(resources, tenant, audit_after_months=1)
    await seal()
    assert await apply(resources, tenant, now=NOW + timedelta(days=30)) == 0
    assert await apply(resources, tenant, now=NOW + timedelta(days=32)) == head.position
    after = await seal()
    assert after.position == head.position + 2  # the settings, and the record of what was dropped
    async with resources.database.unit_of_work(tenant.id) as work:
        assert not (await seals.verify(work, known_head=head)).findings
        with pytest.raises(Invalid):
            await seals.verify(work, known_head=Head(head.position - 1, head.digest))
    superuser.execute("update audit_stubs set digest = sha256('x') where organization_id = %s", [tenant.id])
    async with resources.database.unit_of_work(tenant.id) as work:
        assert [each.flaw for each in (await seals.verify(work)).findings] == ["Altered"]


async def test_the_database_keeps_entries_until_their_time_is_over(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await keep(resources, tenant, audit_after_months=1)
    change = Change(action="Created", kind="Exam", id=new_id(), after={})
    async with resources.database.unit_of_work(tenant.id) as work:
        await audit.record_all(work, [change] * 2, now=NOW)
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        await seals.seal(work, [tenant.id], now=NOW)
    superuser.execute("update audit_entries set at = %s where organization_id = %s", [NOW, tenant.id])
    end, drop = NOW + timedelta(days=31), "select drop_audit_entries(1, %s)"
    with pytest.raises(ProgrammingError, match="keeps these entries"):
        async with resources.database.unit_of_work(tenant.id) as work:
            await work.connection.exec_driver_sql(drop, (end,))
    async with resources.database.unit_of_work(tenant.id) as work:
        later = (end + timedelta(microseconds=1),)
        assert (await work.connection.exec_driver_sql(drop, later)).scalar_one() == 1


async def test_the_application_deletes_no_entry(resources: Resources, tenant: Tenant) -> None:
    await keep(resources, tenant, audit_after_months=1)
    async with resources.database.unit_of_work(tenant.id) as work:
        if citus.COORDINATOR:  # a policy lets it delete none
            assert (await work.connection.exec_driver_sql("delete from audit_entries")).rowcount == 0
            return
        with pytest.raises(ProgrammingError):
            await work.connection.exec_driver_sql("delete from audit_entries")


async def test_organizations_drop_their_logs_in_large_pieces_each(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    tenants = [tenant, await create_tenant(resources, now=NOW)]
    change = Change(action="Created", kind="Exam", id=new_id(), after={})
    for each in tenants:
        await keep(resources, each, audit_after_months=1)
        async with resources.database.unit_of_work(each.id) as work:
            await audit.record_all(work, [change] * 30, now=NOW)
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        await seals.seal(work, [each.id for each in tenants], now=NOW)
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        settings = await retention.list_all(work)
    due = {each.id: settings[each.id] for each in tenants}
    await retention.apply(resources.database, due, now=NOW + timedelta(days=32))
    query = "select count(*) from audit_entries where organization_id = %s and action = 'Dropped'"
    assert [superuser.execute(query, [each.id]).fetchone() for each in tenants] == [(1,), (1,)]


async def test_old_tokens_are_deleted(resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]) -> None:
    await keep(resources, tenant, tokens_after_days=10)
    superuser.execute(
        "update issued_tokens set revoked_at = %s where organization_id = %s", [NOW - timedelta(days=10), tenant.id]
    )
    assert await apply(resources, tenant, now=NOW) == 0
    assert await apply(resources, tenant, now=NOW + timedelta(seconds=1)) == 1
