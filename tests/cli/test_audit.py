"""The audit log on the command line: changes are listed, and tampering is found."""

import asyncio
import getpass
import json

import psycopg
from tests.cli.conftest import Run
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals
from tessera.provision import Addresses


async def test_a_command_is_recorded_and_verified(
    run: Run, tenant: Tenant, resources: Resources, superuser: psycopg.Connection
) -> None:
    organization = ("--organization", tenant.name)
    run("user", "deactivate", *organization, "--email", tenant.user_email, "--yes")
    entries = json.loads(run("audit", "list", *organization, "--kind", "User", "--json").stdout)
    latest = {name: entries[0][name] for name in ("actor", "action", "kind")}
    assert latest == {"actor": f"CommandLine {getpass.getuser()}", "action": "Deactivated", "kind": "User"}

    before = json.loads(run("audit", "verify", *organization, "--json").stdout)
    async with resources.database.unit_of_work(tenant.id) as work:
        count = (await seals.seal(work, [work.organization_id], now=NOW))[work.organization_id].done
    sound = json.loads(run("audit", "verify", *organization, "--json").stdout)
    assert sound == {"entries": count, "head": sound["head"], "unsealed": 0, "erased": 0}
    assert (before["entries"], before["unsealed"]) == (0, count)
    assert run("audit", "verify", *organization, "--head", sound["head"]).returncode == 0
    wrong = run("audit", "verify", *organization, "--head", "x")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "tessera: --head must be POSITION:DIGEST, as printed by verify\n",
    )

    superuser.execute(
        "update audit_entries set actor_name = 'eve' where organization_id = %s and action = 'Deactivated'", [tenant.id]
    )
    broken = run("audit", "verify", *organization, "--json")
    assert broken.returncode == 1
    assert [(found["flaw"], found["position"]) for found in json.loads(broken.stdout)] == [("Altered", count)]


async def test_a_log_that_changes_during_its_verification_is_verified_as_it_was(
    run: Run, tenant: Tenant, resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        await seals.seal(work, [work.organization_id], now=NOW)
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as change:
        change.execute("lock table audit_seals in access exclusive mode")
        verifying = asyncio.create_task(asyncio.to_thread(run, "audit", "verify", "--organization", tenant.name))
        await until_blocked(superuser, lock_type="relation")
        change.execute("update audit_entries set action = 'Looked' where organization_id = %s", [tenant.id])
    assert (await verifying).returncode == 0
