"""An import adds all vouchers of a file, or none: its process may be killed, and others may take a code meanwhile."""

import asyncio
import operator
import signal
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import httpx
import psycopg
from tests.support import dying, factories
from tests.support.factories import Tenant
from tests.support.redemption_requests import reasons, redeem
from tests.support.voucher_factories import add_partner, add_program
from tests.support.waiting import until, until_blocked

from tessera.api.serving.resources import Resources
from tessera.kit.imports.refusals import ImportRefused
from tessera.kit.imports.steps import Source
from tessera.provision import Addresses
from tessera.voucher_imports import service
from tessera.vouchers.purchases.checkout.rules import Order

FILE = b"code,usedAt,reservationCode,usedByPersonId\nA-1,2026-01-01,RSV-1,P-9\nA-2,2026-01-02,RSV-2,P-9\nA-3,,,\n"
# After COMMIT. Some of the moments before it are tried, because each costs a process.
LAST_MOMENT = 53


def counts(superuser: psycopg.Connection, tenant: Tenant) -> tuple[int, ...]:
    """The numbers of vouchers, used ones, purchases, reservations, ledger entries, and audit entries."""
    tables = ("vouchers", "voucher_purchases", "reservations", "redemption_ledger", "audit_entries")
    queries = [f"(select count(*) from {table} where organization_id = %(tenant)s)" for table in tables]
    row = superuser.execute(f"select {', '.join(queries)}", {"tenant": tenant.id}).fetchone()
    assert row is not None
    return row


async def offer(resources: Resources, tenant: Tenant) -> Order:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    return Order(partner_id=partner, program_id=program)


async def bring(resources: Resources, tenant: Tenant, order: Order, barrier: asyncio.Barrier | None = None) -> object:
    try:
        async with resources.database.unit_of_work(tenant.id) as work:
            now = datetime.now(UTC)
            imported = await service.import_file(work, Source(BytesIO(FILE), ""), order, dry_run=False, now=now)
            if barrier:
                await barrier.wait()
                await barrier.wait()
            return imported.vouchers
    except ImportRefused as refusal:
        return {(violation.code, violation.field) for line in refusal.lines for violation in line.violations}


async def test_a_command_killed_before_commit_has_imported_nothing_and_after_it_everything(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "vouchers.csv"
    file.write_bytes(FILE)
    for moment in (
        LAST_MOMENT // 3,
        LAST_MOMENT * 2 // 3,
        LAST_MOMENT - 2,
        LAST_MOMENT - 1,
        LAST_MOMENT,
        LAST_MOMENT + 1,
    ):
        tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
        await offer(resources, tenant)
        before = counts(superuser, tenant)
        terms = ("--partner", "Acme", "--program", "Open", "--organization", str(tenant.id))
        arguments = ("voucher", "import", str(file), *terms)
        with dying.process_that_dies(
            dying.command, addresses.application, arguments, organization=tenant.id, at=moment
        ) as process:
            await until("the command ends", partial(dying.has_ended, process))
        # This process would die at a moment after the last one. It lives, so there is none.
        assert (moment, process.exitcode) == (moment, 0 if moment > LAST_MOMENT else -signal.SIGKILL)
        added = tuple(map(operator.sub, counts(superuser, tenant), before))
        assert (moment, added) == (moment, (3, 1, 2, 2, 2) if moment >= LAST_MOMENT else (0, 0, 0, 0, 0))


async def test_of_two_imports_of_the_same_vouchers_at_once_one_is_refused_whole(
    resources: Resources, superuser: psycopg.Connection, tenant: Tenant
) -> None:
    order = await offer(resources, tenant)
    outcomes = await asyncio.gather(*(bring(resources, tenant, order) for _ in range(2)))
    added, refused = sorted(outcomes, key=str)
    taken = {("CodeTaken", "code")}
    # One that begins after the other has ended names the reservation, too.
    assert (added, refused) in [(3, taken), (3, taken | {("ReservationTaken", "reservationCode")})]
    assert counts(superuser, tenant)[:4] == (3, 1, 2, 2)


async def test_a_reservation_that_an_import_adds_is_not_booked_for_somebody_else_meanwhile(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection, tenant: Tenant
) -> None:
    now = datetime.now(UTC)
    await factories.add_promo_codes(resources, tenant, factories.percent_code(tenant, "SPRING"), now=now)
    barrier = asyncio.Barrier(2)
    importing = asyncio.create_task(bring(resources, tenant, await offer(resources, tenant), barrier))
    await barrier.wait()
    booking = asyncio.create_task(redeem(client, tenant, "SPRING", "RSV-1"))
    await until_blocked(superuser)
    await barrier.wait()
    assert await importing == 3
    answer = await booking
    assert (answer.status_code, reasons(answer)) == (409, [("/reservationCode", "ReservationDiffers")])
