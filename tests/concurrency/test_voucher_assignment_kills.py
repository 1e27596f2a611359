"""Handing out vouchers to a list of people: everybody gets one or nobody, at whatever moment the process is killed."""

import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
from tests.support import dying, factories
from tests.support.factories import Tenant
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

# After COMMIT. Some of the moments before it are tried, because each costs a process.
LAST_MOMENT = 15


def counts(superuser: psycopg.Connection, tenant: Tenant) -> tuple[int, ...]:
    """The numbers of assigned vouchers and of audit entries about them."""
    row = superuser.execute(
        "select (select count(*) from vouchers where organization_id = %(tenant)s and recipient_email is not null),"
        " (select count(*) from audit_entries where organization_id = %(tenant)s and action = 'Assigned')",
        {"tenant": tenant.id},
    ).fetchone()
    assert row is not None
    return row


async def test_a_command_killed_before_commit_has_assigned_nothing_and_after_it_everything(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "people.txt"
    file.write_text("ada@example.com\nbob@example.com\n")
    expiry = datetime.now(UTC) + timedelta(days=1)
    for moment in (LAST_MOMENT // 2, *range(LAST_MOMENT - 2, LAST_MOMENT + 2)):
        tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
        partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
        purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
        await add_vouchers(
            resources, tenant, *(voucher(purchase, partner, f"FREE{n}", expires_at=expiry) for n in range(2))
        )
        arguments = ("purchase", "assign", "VP-1", str(file), "--organization", str(tenant.id))
        with dying.process_that_dies(
            dying.command, addresses.application, arguments, organization=tenant.id, at=moment
        ) as process:
            await until("the command ends", partial(dying.has_ended, process))
        # This process would die at a moment after the last one. It lives, so there is none.
        assert (moment, process.exitcode) == (moment, 0 if moment > LAST_MOMENT else -signal.SIGKILL)
        assert (moment, counts(superuser, tenant)) == (moment, (2, 2) if moment >= LAST_MOMENT else (0, 0))
