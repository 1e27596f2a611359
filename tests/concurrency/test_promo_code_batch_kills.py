"""A batch ends with exactly the ordered number of codes, at whatever moment a worker is killed."""

import asyncio
import signal
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import psycopg
from tests.support import dying, factories
from tests.support.batching import BatchState, batch_state, job_statuses, order_batch
from tests.support.factories import Tenant
from tests.support.purchasing import bury_workers, queue_contents
from tests.support.waiting import until

from tessera import worker
from tessera.api.serving.resources import Resources
from tessera.kit.editing import Target
from tessera.promo_codes.batches import service as batches
from tessera.provision import Addresses

QUANTITY = 5
NOTHING_YET = BatchState("InProgress", 0, 0, 0)
COMPLETE = BatchState("Complete", QUANTITY, QUANTITY, QUANTITY)
# Before and after each of BEGIN, the batch's lock, the codes, the progress, the audit entry and COMMIT. After the last
# moment only the queue records the end of the job.
LAST_MOMENT = 13


async def seller(resources: Resources) -> Tenant:
    """An organization that is created at the real time."""
    return await factories.create_tenant(resources, now=datetime.now(UTC))


async def test_a_worker_killed_before_or_after_any_statement_leaves_all_or_nothing_and_another_one_finishes(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    ordered: dict[int, UUID] = {}
    for moment in range(LAST_MOMENT + 1):
        tenant = await seller(resources)
        ordered[moment] = await order_batch(resources, tenant, QUANTITY, now=datetime.now(UTC))
        with dying.process_that_dies(dying.worker, addresses.application, organization=tenant.id, at=moment) as process:
            await until("the worker dies", lambda: process.exitcode is not None)
            assert process.exitcode == -signal.SIGKILL
        expected = COMPLETE if moment == LAST_MOMENT else NOTHING_YET
        assert (moment, batch_state(superuser, ordered[moment])) == (moment, expected)
        assert job_statuses(superuser, ordered[moment]) == ["doing"]

    bury_workers(superuser)
    tenant = await seller(resources)
    last = await order_batch(resources, tenant, QUANTITY, now=datetime.now(UTC))
    # This process would die at a moment after the last one. It lives, so the moments above are all that exist.
    with dying.process_that_dies(
        dying.worker, addresses.application, organization=tenant.id, at=LAST_MOMENT + 1
    ) as process:
        everything = (*ordered.values(), last)
        await until(
            "all jobs succeed",
            lambda: {status for each in everything for status in job_statuses(superuser, each)} == {"succeeded"},
        )
        assert process.exitcode is None
    assert {batch_state(superuser, each) for each in (*ordered.values(), last)} == {COMPLETE}


def has_more_codes(superuser: psycopg.Connection, batch_id: UUID, *, than: int) -> bool:
    return batch_state(superuser, batch_id).made > than


async def test_a_worker_killed_again_and_again_among_the_parts_of_a_batch_loses_and_doubles_nothing(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    tenant = await seller(resources)
    ordered = await order_batch(resources, tenant, 17_500, now=datetime.now(UTC))
    seen = 0
    while seen < 10_000:
        with dying.worker_process(addresses.application):
            await until(
                "the batch has more codes",
                partial(has_more_codes, superuser, ordered, than=seen),
                details=lambda: queue_contents(superuser),
            )
        seen = batch_state(superuser, ordered).made
        bury_workers(superuser)
    async with worker.running(addresses.application, database=resources.database):
        await until("the batch is complete", lambda: batch_state(superuser, ordered).status == "Complete")
    assert batch_state(superuser, ordered) == BatchState("Complete", 17_500, 17_500, 17_500)


async def test_any_number_of_makers_at_once_make_exactly_what_was_ordered(
    resources: Resources, superuser: psycopg.Connection
) -> None:
    tenant = await seller(resources)
    ordered = await order_batch(resources, tenant, 10_000, now=datetime.now(UTC))

    async def make() -> None:
        for _ in range(3):
            async with resources.database.unit_of_work(tenant.id) as work:
                await batches.create_next_codes(work, ordered, now=datetime.now(UTC))

    await asyncio.gather(*(make() for _ in range(4)))
    assert batch_state(superuser, ordered) == BatchState("Complete", 10_000, 10_000, 10_000)


async def test_a_batch_cancelled_while_it_is_made_stops_and_goes_on_where_it_was(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    tenant = await seller(resources)
    ordered = await order_batch(resources, tenant, 20_000, now=datetime.now(UTC))
    async with worker.running(addresses.application, database=resources.database):
        await until("the batch has codes", lambda: batch_state(superuser, ordered).made > 0)
        async with resources.database.unit_of_work(tenant.id) as work:
            cancelled = await batches.cancel(work, Target(ordered), now=datetime.now(UTC))
        await until("the job ends", lambda: set(job_statuses(superuser, ordered)) == {"succeeded"})
        result = batch_state(superuser, ordered)
        assert (result.status, result.made, result.codes) == ("Cancelled", cancelled.made, cancelled.made)
        assert 0 < result.made < 20_000
        async with resources.database.unit_of_work(tenant.id) as work:
            await batches.resume(work, Target(ordered), now=datetime.now(UTC))
        await until("the batch is complete", lambda: batch_state(superuser, ordered).status == "Complete")
    assert batch_state(superuser, ordered) == BatchState("Complete", 20_000, 20_000, 20_000)
