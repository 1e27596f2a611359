"""Vouchers are generated exactly once, at whatever moment a process is killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, TOKEN_KEYS_SETTING
from tests.support import dying, factories, guard
from tests.support.commands import SECONDS_TO_END, postmaster_of, running_server
from tests.support.factories import Tenant
from tests.support.purchasing import (
    DRAFT,
    NOTHING_YET,
    REQUEST,
    bury_workers,
    buy,
    complete,
    open_market,
    order,
    purchase_jobs,
    purchase_state,
    queue_contents,
    retry_stalled_jobs,
)
from tests.support.waiting import until

from tessera import main, provision, schema, worker
from tessera.api.serving.resources import Resources
from tessera.kit.embedded_postgres import server as embedded
from tessera.provision import Addresses
from tessera.settings import Settings

# Before and after each statement of BEGIN, the purchase's lock, the count of the code space, the vouchers, the claim,
# the status, the audit log, the totals and COMMIT. After the last moment only the queue records the end of the job.
LAST_MOMENT = 21


async def buyer(resources: Resources) -> Tenant:
    """An organization that can buy vouchers, with a token that is valid at the real time."""
    tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
    await open_market(resources, tenant)
    return tenant


async def test_a_worker_killed_before_or_after_any_statement_leaves_all_or_nothing_and_another_one_finishes(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    purchase_ids: dict[int, UUID] = {}
    for moment in range(LAST_MOMENT + 1):
        tenant = await buyer(resources)
        purchase_ids[moment] = await buy(resources, tenant)
        with dying.process_that_dies(dying.worker, addresses.application, organization=tenant.id, at=moment) as process:
            await until("the worker dies", lambda: process.exitcode is not None)
            assert process.exitcode == -signal.SIGKILL
        expected = complete(20) if moment == LAST_MOMENT else NOTHING_YET
        assert (moment, purchase_state(superuser, purchase_ids[moment])) == (moment, expected)
        assert [job[:2] for job in purchase_jobs(superuser, purchase_ids[moment])] == [("doing", 0)]

    bury_workers(superuser)
    tenant = await buyer(resources)
    last = await buy(resources, tenant)
    # This process would die at a moment after the last one. It lives, so the moments above are all that exist.
    with dying.process_that_dies(
        dying.worker, addresses.application, organization=tenant.id, at=LAST_MOMENT + 1
    ) as process:
        everything = (*purchase_ids.values(), last)
        await until(
            "all jobs succeed", lambda: {purchase_jobs(superuser, each)[0][0] for each in everything} == {"succeeded"}
        )
        assert process.exitcode is None
    assert {purchase_state(superuser, each) for each in (*purchase_ids.values(), last)} == {complete(20)}


async def test_an_api_killed_right_after_its_answer_has_queued_the_vouchers(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    tenant = await buyer(resources)
    settings = {"TESSERA_DATABASE_URL": addresses.application, **TOKEN_KEYS_SETTING}
    with running_server("api", data=tmp_path, **settings) as server:
        async with httpx.AsyncClient(base_url=server.url, headers=tenant.bearer, timeout=90) as client:
            answer = await client.post("/api/vouchers/purchases", json=REQUEST)
        server.process.kill()
        server.process.wait(SECONDS_TO_END)
    assert (answer.status_code, answer.json()["status"]) == (200, "VoucherCreation")
    with dying.worker_process(addresses.application):
        await until(
            "the purchase is complete", lambda: purchase_state(superuser, UUID(answer.json()["id"])) == complete(20)
        )


async def test_a_purchase_that_is_rolled_back_leaves_no_job(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    count = "select count(*) from procrastinate_jobs where args->>'organization_id' = "
    with suppress(ZeroDivisionError):
        async with resources.database.unit_of_work(tenant.id) as work:
            await order(work, DRAFT, now=NOW)
            queued = await work.connection.exec_driver_sql(f"{count} '{tenant.id}'")
            assert queued.scalar_one() == 1
            raise ZeroDivisionError
    assert superuser.execute(f"{count} '{tenant.id}'").fetchone() == (0,)


async def test_a_worker_that_is_only_slow_may_be_taken_for_dead(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    tenant = await buyer(resources)
    purchase_id = await buy(resources, tenant)
    with (
        dying.worker_process(addresses.application) as slow,
        psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival,
    ):
        query = "select from voucher_purchases where organization_id = %s and id = %s for update"
        rival.execute(query, [tenant.id, purchase_id])
        await until("a worker takes the job", lambda: purchase_jobs(superuser, purchase_id)[0][:2] == ("doing", 0))
        assert slow.pid is not None
        os.kill(slow.pid, signal.SIGSTOP)
        bury_workers(superuser)
        with dying.worker_process(addresses.application):
            await until(
                "the other worker takes the job over",
                lambda: purchase_jobs(superuser, purchase_id)[0][:2] == ("doing", 1),
                details=lambda: queue_contents(superuser),
            )
            os.kill(slow.pid, signal.SIGCONT)
            rival.rollback()
            await until("the job succeeds", lambda: purchase_jobs(superuser, purchase_id)[0][0] == "succeeded")
            after = await buy(resources, tenant)
            await until("the next purchase is complete", lambda: purchase_state(superuser, after) == complete(20))
    assert purchase_state(superuser, purchase_id) == complete(20)
    assert [job[:2] for job in purchase_jobs(superuser, purchase_id)] == [("succeeded", 2)]


def has_left(superuser: psycopg.Connection, purchase_id: UUID) -> bool:
    """Whether the job has lost its worker, but still has the status `doing`."""
    row = superuser.execute(
        "select status = 'doing' and worker_id is null from procrastinate_jobs where args->>'purchase_id' = %s",
        [str(purchase_id)],
    ).fetchone()
    return row == (True,)


async def test_a_job_whose_outcome_the_database_refuses_is_not_left_to_a_worker_that_has_forgotten_it(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    tenant = await buyer(resources)
    purchase_id = await buy(resources, tenant)
    superuser.execute(
        "alter table procrastinate_jobs add constraint disk_is_full"
        f" check (status <> 'succeeded' or args->>'purchase_id' <> '{purchase_id}') not valid"
    )
    async with worker.running(addresses.application, database=resources.database):
        await until("the purchase is complete", lambda: purchase_state(superuser, purchase_id) == complete(20))
        await until("the worker gives the job up", lambda: has_left(superuser, purchase_id))
        superuser.execute("alter table procrastinate_jobs drop constraint disk_is_full")
        retry_stalled_jobs(superuser)
        await until("the job succeeds", lambda: purchase_jobs(superuser, purchase_id)[0][0] == "succeeded")
    assert purchase_state(superuser, purchase_id) == complete(20)


class Postgres:
    """A Postgres server that a test may kill."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.start()

    def start(self) -> None:
        self._running = embedded.start(self._directory)

    def kill(self) -> None:
        """Kill all its processes at once, as a power cut does."""
        os.kill(postmaster_of(self._directory), signal.SIGKILL)
        self._running.stop()  # otherwise this use of the directory would keep the next server running

    def addresses(self) -> Addresses:
        users = {"application": "tessera_app", "owner": "postgres"}
        return Addresses(**{use: self._running.url(user=user, database="postgres") for use, user in users.items()})

    def superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.addresses().owner.replace("+psycopg", ""), autocommit=True)

    def count(self, status: str) -> int:
        """The number of purchases with this status."""
        with self.superuser() as superuser:
            row = superuser.execute("select count(*) from voucher_purchases where status = %s", [status]).fetchone()
        assert row is not None
        return int(row[0])

    def stop(self) -> None:
        self._running.stop()


@pytest.fixture
def server() -> Iterator[Postgres]:
    with guard.place() as directory:
        result = Postgres(directory / "data")
        yield result
        result.stop()


async def test_a_postgres_that_is_killed_and_started_again_in_the_middle_loses_and_doubles_nothing(
    server: Postgres, settings: Settings
) -> None:
    addresses = server.addresses()
    schema.migrate(addresses.owner, addresses.application)
    revision = schema.latest_revision()
    resources = main.create_resources(
        settings, provision.create_pool(settings, addresses.application), schema_revision=revision
    )
    tenant = await buyer(resources)
    with dying.worker_process(addresses.application) as running:
        purchase_ids = [await buy(resources, tenant, quantity=1000) for _ in range(20)]
        await until("a purchase is complete", lambda: server.count("Complete") > 0)
        server.kill()
        server.start()
        assert 0 < server.count("Complete") < len(purchase_ids)
        with server.superuser() as superuser:
            bury_workers(superuser)
            await until("all purchases are complete", lambda: server.count("Complete") == len(purchase_ids))
            assert {purchase_state(superuser, each) for each in purchase_ids} == {complete(1000)}
        assert not dying.has_ended(running)
    await resources.database.close()
