"""Exports, imports, erasures, retention and deletions of one organization at once: none of them is half done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.redemption_requests import candidate, create_redemption, update_reservation
from tests.support.reporting import roll_up
from tests.support.retaining import apply, keep
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.identity.organizations import freezing
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Access
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.persons.erasures import service as erasures
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports
from tessera.retention.repository import RetentionRepository
from tessera.transfers import service as transfers
from tessera.transfers.deletions import service as deletions
from tessera.transfers.format import Summary
from tessera.transfers.repository import TransferRepository
from tessera.transfers.service import CannotTransfer, OpenWork

LATE, REDEMPTIONS = NOW + timedelta(days=32), 6
ZELDA = candidate("P-Zelda", email="zelda@example.com")


def ignore(_: int) -> None:
    pass


@pytest.fixture
async def busy(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> Tenant:
    """An organization with redemptions of one person, which are old enough to be dropped."""
    add_platform(superuser, tenant)
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    for number in range(REDEMPTIONS):
        await create_redemption(client, tenant, "SPRING", f"RSV-{number}", candidate=ZELDA)
        await update_reservation(client, tenant, f"RSV-{number}", "Completed")
    await roll_up(resources, tenant, now=NOW + timedelta(days=2))
    await keep(resources, tenant, redemptions_after_months=1)
    return tenant


@pytest.fixture
def open_work(resources: Resources) -> OpenWork:
    def open_(organization_id: UUID, access: Access) -> AbstractAsyncContextManager[UnitOfWork]:
        return resources.database.unit_of_work(organization_id, access=access)

    return open_


async def export(open_work: OpenWork, tenant: Tenant, output: BytesIO) -> Summary:
    return await transfers.export(open_work, tenant.id, output, with_credentials=True, set_position=ignore)


async def import_(open_work: OpenWork, content: bytes) -> bool:
    """Import a file; returns False if another import has done it."""
    try:
        checked = await transfers.check(open_work, BytesIO(content), set_position=ignore)
        await transfers.import_file(open_work, BytesIO(content), checked, set_position=ignore, now=NOW)
    except CannotTransfer:
        return False
    return True


async def delete(open_work: OpenWork, tenant: Tenant, summary: Summary) -> None:
    await deletions.request(open_work, tenant.id, digest=summary.digest, due_at=NOW, now=NOW)
    await deletions.delete(open_work, tenant.id, set_position=ignore, now=NOW)


async def discrepancies(resources: Resources, tenant: Tenant) -> list[Any]:
    async with resources.database.unit_of_work(tenant.id, access=Access.SNAPSHOT) as work:
        return [*(await ledger.verify(work)).discrepancies, *await reports.list_discrepancies(work)]


async def test_two_exports_and_two_imports_at_once_end_with_one_organization(
    resources: Resources, busy: Tenant, open_work: OpenWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "CHUNK_SIZE", 3)
    await freezing.freeze(partial(open_work, busy.id), now=NOW)
    first, second = BytesIO(), BytesIO()
    summary, _ = await asyncio.gather(export(open_work, busy, first), export(open_work, busy, second))
    assert first.getvalue() == second.getvalue()
    await delete(open_work, busy, summary)
    done = await asyncio.gather(*(import_(open_work, first.getvalue()) for _ in range(2)))
    assert any(done)
    again = BytesIO()
    assert await export(open_work, busy, again) == summary
    assert again.getvalue() == first.getvalue()
    assert await transfers.verify(open_work, busy.id) == []


async def test_an_organization_that_is_being_imported_or_deleted_cannot_be_exported(
    busy: Tenant, open_work: OpenWork, superuser: psycopg.Connection[Any]
) -> None:
    states = (
        "insert into organization_imports values (%s, '', 0, now())",
        "insert into organization_deletions (organization_id, digest, requested_at, due_at, begun_at)"
        " values (%s, '', now(), now(), now())",
    )
    for state in states:
        superuser.execute(state, [busy.id])
        with pytest.raises(CannotTransfer):
            await export(open_work, busy, BytesIO())
        superuser.execute("delete from organization_imports where organization_id = %s", [busy.id])
        superuser.execute("delete from organization_deletions where organization_id = %s", [busy.id])


@pytest.mark.parametrize("other", ["erasure", "retention", "deletion"])
async def test_an_export_has_the_state_of_its_beginning(
    resources: Resources, busy: Tenant, open_work: OpenWork, other: str
) -> None:
    if other == "deletion":
        await freezing.freeze(partial(open_work, busy.id), now=NOW)
    before = BytesIO()
    summary = await export(open_work, busy, before)

    @asynccontextmanager
    async def open_before(organization_id: UUID, access: Access) -> AsyncIterator[UnitOfWork]:
        async with open_work(organization_id, access) as work:
            if access is Access.SNAPSHOT:
                # On Citus, rows are as at the first read on their node.
                await TransferRepository(work).count("redemptions")
                await act()
            yield work

    async def act() -> None:
        if other == "erasure":
            async with open_work(busy.id, Access.CHANGE) as work:
                assert (await erasures.erase(work, "P-Zelda", now=NOW)).changed["redemptions"] == REDEMPTIONS
        elif other == "retention":
            assert await apply(resources, busy, now=LATE)
        else:
            await delete(open_work, busy, summary)

    beside = BytesIO()
    assert await export(open_before, busy, beside) == summary
    assert beside.getvalue() == before.getvalue()


async def test_an_erasure_and_the_drop_of_the_same_redemptions_exclude_each_other(
    resources: Resources, busy: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    async def drop(work: UnitOfWork) -> int:
        return await RetentionRepository(work).drop_redemptions(size=3, now=LATE)

    superuser.execute(
        "update reservations set anonymised_at = now(), code = id::text where organization_id = %s", [busy.id]
    )
    async with resources.database.unit_of_work(busy.id) as work:
        await erasures.erase(work, "P-Zelda", now=NOW)
        async with resources.database.unit_of_work(busy.id) as other_work:
            assert await drop(other_work) == 0
        await work.connection.exec_driver_sql("rollback")
    erasing: asyncio.Task[Any] | None = None
    async with resources.database.unit_of_work(busy.id) as work:
        assert await drop(work) > 0
        async with asyncio.timeout(30):
            erasing = asyncio.create_task(erase(resources, busy))
            await until("the erasure waits", partial(is_waiting, superuser))
    erased = await erasing
    assert 0 < erased < REDEMPTIONS
    names = "select distinct first_name from redemptions where organization_id = %s"
    assert superuser.execute(names, [busy.id]).fetchall() == [("erased",)]
    assert await discrepancies(resources, busy) == []


async def erase(resources: Resources, tenant: Tenant) -> int:
    async with resources.database.unit_of_work(tenant.id) as work:
        return (await erasures.erase(work, "P-Zelda", now=NOW)).changed["redemptions"]


def is_waiting(superuser: psycopg.Connection[Any]) -> bool:
    count = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return superuser.execute(citus.on_all_nodes(count).encode()).fetchone() != (0,)


async def test_a_freeze_waits_for_a_drop_and_nothing_is_dropped_after_it(
    resources: Resources, busy: Tenant, open_work: OpenWork
) -> None:
    dropping, may_end = asyncio.Event(), asyncio.Event()

    async def drop(work: UnitOfWork, group: Any) -> dict[UUID, Progress]:
        dropping.set()
        await may_end.wait()
        return {busy.id: Progress(1)}

    running = asyncio.create_task(run_pass(resources.database, [busy.id], drop, task="test"))
    await dropping.wait()
    freeze = asyncio.create_task(freezing.freeze(partial(open_work, busy.id), now=NOW))
    while not freeze.done():
        async with open_work(PLATFORM_ID, Access.READ) as work:
            if (await organizations.find(work, str(busy.id)) or busy).frozen_at is not None:  # type: ignore[union-attr]
                break
    assert not freeze.done()
    may_end.set()
    await asyncio.gather(running, freeze)
    assert await apply(resources, busy, now=LATE) == 0
    assert await discrepancies(resources, busy) == []
