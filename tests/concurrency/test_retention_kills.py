"""A pass of retention that is killed loses no redemption from the counts, and counts none twice."""

import asyncio
import signal
from datetime import timedelta

import httpx
import psycopg
from tests.conftest import NOW
from tests.support import dying
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import create_redemption, update_reservation
from tests.support.reporting import roll_up
from tests.support.retaining import apply, keep

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports

LATE = NOW + timedelta(days=32)
REDEMPTIONS = 12


async def test_a_pass_that_is_killed_at_any_statement_drops_all_or_nothing_of_a_transaction(
    client: httpx.AsyncClient,
    resources: Resources,
    addresses: Addresses,
    superuser: psycopg.Connection,
    tenant: Tenant,
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    for number in range(REDEMPTIONS):
        await create_redemption(client, tenant, "SPRING", f"RSV-{number}")
        assert (await update_reservation(client, tenant, f"RSV-{number}", "Completed")).status_code == 200
    await roll_up(resources, tenant, now=NOW + timedelta(days=2))
    await keep(resources, tenant, redemptions_after_months=1)
    left, killed = {REDEMPTIONS}, 0
    # Each transaction drops two.
    for moment in range(3, 40, 2):
        with dying.process_that_dies(dying.retain, addresses.application, organization=tenant.id, at=moment) as process:
            await asyncio.to_thread(process.join, 60)
        killed += process.exitcode == -signal.SIGKILL
        ((count,),) = superuser.execute(
            "select count(*) from redemptions where organization_id = %s", [tenant.id]
        ).fetchall()
        left.add(count)
        async with resources.database.unit_of_work(tenant.id) as work:
            assert (await ledger.verify(work)).discrepancies == []
            assert await reports.list_discrepancies(work) == []
        if not count:
            break
    assert killed > 3
    assert left >= {0, REDEMPTIONS}
    assert len(left) > 3
    assert all(count % 2 == 0 for count in left)
    assert await apply(resources, tenant, now=LATE) == 0
