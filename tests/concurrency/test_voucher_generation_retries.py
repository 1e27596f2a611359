"""Failing voucher generation: retries with growing pauses, a report to operators, and success after the repair."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import structlog
from tests.support.commands import tessera
from tests.support.factories import Tenant
from tests.support.purchasing import NOTHING_YET, buy, complete, open_market, purchase_jobs, purchase_state
from tests.support.waiting import until

from tessera import worker
from tessera.api.serving.resources import Resources
from tessera.provision import Addresses


@contextmanager
def rejected_vouchers(superuser: psycopg.Connection, tenant: Tenant) -> Iterator[None]:
    """The database rejects vouchers of this organization until the context ends."""
    name = f"broken_{uuid4().hex}"
    superuser.execute(f"alter table vouchers add constraint {name} check (organization_id <> '{tenant.id}') not valid")
    try:
        yield
    finally:
        superuser.execute(f"alter table vouchers drop constraint {name}")


def call_again(superuser: psycopg.Connection, purchase_id: UUID) -> float:
    """End the pause of the purchase's job; returns its length in seconds."""
    row = superuser.execute(
        "select extract(epoch from job.scheduled_at - max(event.at))::float"
        " from procrastinate_jobs job join procrastinate_events event on event.job_id = job.id"
        " where args->>'purchase_id' = %s and event.type = 'deferred_for_retry' group by job.id",
        [str(purchase_id)],
    ).fetchone()
    superuser.execute(
        "update procrastinate_jobs set scheduled_at = now() where args->>'purchase_id' = %s", [str(purchase_id)]
    )
    assert row is not None
    return float(row[0])


def waits_after(superuser: psycopg.Connection, purchase_id: UUID, *, tries: int) -> bool:
    """Whether the purchase's job waits for its next attempt after so many."""
    return purchase_jobs(superuser, purchase_id)[0][:2] == ("todo", tries)


async def test_a_purchase_that_cannot_be_generated_is_tried_again_with_growing_pauses_until_it_can(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    purchase_id = await buy(resources, tenant)
    pauses = []
    with structlog.testing.capture_logs() as logs, rejected_vouchers(superuser, tenant):
        async with worker.running(addresses.application, database=resources.database):
            for tries in range(1, 6):
                await until(f"attempt {tries} fails", partial(waits_after, superuser, purchase_id, tries=tries))
                pauses.append(call_again(superuser, purchase_id))
            await until("attempt 6 fails", partial(waits_after, superuser, purchase_id, tries=6))
        assert purchase_state(superuser, purchase_id) == NOTHING_YET
    # The worker also retries jobs that other tests left.
    entries = [log for log in logs if "tries" in log and log.get("organization_id") == str(tenant.id)]
    warnings = [(log["log_level"], log["tries"], log["pause"]) for log in entries]
    # The pause begins before the database records it; a busy machine makes that difference larger.
    assert all(longest - 0.95 < pause <= longest for pause, longest in zip(pauses, (1, 2, 4, 8, 16), strict=True))
    entry = entries[0]
    assert entry["purchase_id"] == str(purchase_id)
    # On Citus, the names are those of a shard.
    assert re.fullmatch(r'new row for relation "vouchers\w*" violates check constraint "broken_\w+"', entry["error"])
    assert warnings == [("warning", tries, 2 ** (tries - 1)) for tries in range(1, 7)]

    call_again(superuser, purchase_id)
    async with worker.running(addresses.application, database=resources.database):
        await until("attempt 7 succeeds", lambda: purchase_jobs(superuser, purchase_id)[0][:2] == ("succeeded", 7))
    assert purchase_state(superuser, purchase_id) == complete(20)


async def test_ops_see_a_stuck_purchase_and_have_its_vouchers_made_while_its_job_still_pauses(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    bought_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    await open_market(resources, tenant)
    purchase_id = await buy(resources, tenant, now=bought_at)
    superuser.execute(
        "update procrastinate_jobs set scheduled_at = now() + interval '1 hour' where args->>'purchase_id' = %s",
        [str(purchase_id)],
    )
    settings = {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_DATA_DIR": str(tmp_path)}

    def listed(*options: str) -> list[dict[str, object]]:
        outcome = json.loads(tessera("purchase", "list", "--stuck", "--json", *options, **settings).stdout)
        return [row for row in outcome if row["id"] == str(purchase_id)]

    (row,) = listed()
    when = bought_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    code = row["code"]
    assert row == {
        "id": str(purchase_id),
        "code": code,
        "organizationName": tenant.name,
        "quantity": 20,
        "purchasedAt": when,
    }
    assert listed("--older-than-minutes", "11") == []

    async with worker.running(addresses.application, database=resources.database):
        retry = ("purchase", "retry", "--organization", tenant.name, str(code).lower())
        result = tessera(*retry, "--json", **settings)
        assert (json.loads(result.stdout), result.returncode) == ({"id": str(purchase_id)}, 0)
        await until("the purchase is complete", lambda: purchase_state(superuser, purchase_id) == complete(20))
        call_again_at_once = "update procrastinate_jobs set scheduled_at = now() where args->>'purchase_id' = %s"
        superuser.execute(call_again_at_once, [str(purchase_id)])
        await until(
            "both jobs succeed",
            lambda: [job[:2] for job in purchase_jobs(superuser, purchase_id)] == [("succeeded", 1)] * 2,
        )
    assert purchase_state(superuser, purchase_id) == complete(20)
    assert listed() == []
    refusal = tessera(*retry[:-1], str(purchase_id), **settings)
    line = "tessera: There is no such purchase with vouchers still to be issued.\n"
    assert (refusal.returncode, refusal.stdout, refusal.stderr) == (1, "", line)


async def test_another_organizations_purchase_is_not_retried(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, addresses: Addresses, tmp_path: Path
) -> None:
    await open_market(resources, tenant)
    purchase_id = await buy(resources, tenant)
    settings = {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_DATA_DIR": str(tmp_path)}
    refusal = tessera("purchase", "retry", "--organization", other_tenant.name, str(purchase_id), **settings)
    line = "tessera: There is no such purchase with vouchers still to be issued.\n"
    assert (refusal.returncode, refusal.stdout, refusal.stderr) == (1, "", line)


async def test_stalled_jobs_that_cannot_be_retried_do_not_keep_the_others_waiting(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    # The stalled job cannot return to the queue, where another one has its lock.
    superuser.execute(
        "insert into procrastinate_jobs (queue_name, task_name, queueing_lock, status, scheduled_at)"
        " values ('default', 'tessera:any', 'one lock', 'todo', now() + interval '1 hour'),"
        " ('default', 'tessera:any', 'one lock', 'doing', null)"
    )
    purchase_id = await buy(resources, tenant)
    superuser.execute(
        "update procrastinate_jobs set status = 'doing' where args->>'purchase_id' = %s", [str(purchase_id)]
    )
    with structlog.testing.capture_logs() as logs:
        async with worker.running(addresses.application, database=resources.database):
            await until("the purchase is complete", lambda: purchase_state(superuser, purchase_id) == complete(20))
    superuser.execute("delete from procrastinate_jobs where task_name = 'tessera:any'")
    assert "stalled job not retried" in {log["event"] for log in logs}
