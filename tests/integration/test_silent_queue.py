"""A worker whose database stops responding without closing a connection, or refuses to write."""

import asyncio
import os
from pathlib import Path

import psycopg
import pytest
from procrastinate import Blueprint
from sqlalchemy import make_url
from tests.drills.wire import wired
from tests.support import citus
from tests.support.waiting import until

from tessera.kit import jobs
from tessera.kit.db.database import Database
from tessera.kit.heartbeats import Heartbeat
from tessera.kit.jobs import create_jobs, keep_working
from tessera.provision import Addresses

pytestmark = citus.plain_postgres_only("its network leads to a socket of one server")


async def test_a_worker_leaves_a_silent_server_and_works_over_new_connections(
    addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"SILENCE_SECONDS": 1, "HEARTBEAT_SECONDS": 1, "POOL_SECONDS": 2}.items():
        monkeypatch.setattr(jobs, name, seconds)
    done: list[int] = []
    queue, tasks = f"silent-{os.getpid()}", Blueprint()

    @tasks.task(name=queue, queue=queue)
    async def note(number: int) -> None:
        done.append(number)

    host = str(make_url(addresses.application).query["host"])
    with wired(Path(host, ".s.PGSQL.5432")) as wire:
        app, direct = create_jobs(wire.url(addresses.application), tasks), create_jobs(addresses.application, tasks)
        database, stopping = Database(wire.url(addresses.application), pool_size=1), asyncio.Event()
        worker = keep_working(app, stopping=stopping, heartbeat=Heartbeat(), context={"database": database})
        working = asyncio.create_task(worker)
        async with direct.open_async():
            await direct.configure_task(f"tessera:{queue}", queue=queue).defer_async(number=1)
            await until("the first job is done", lambda: done == [1])
            wire.swallow()
            await direct.configure_task(f"tessera:{queue}", queue=queue).defer_async(number=2)
            wire.heal()
            await until("the second job is done", lambda: done == [1, 2])
        stopping.set()
        await working
        await database.close()


async def test_a_worker_that_cannot_write_the_outcome_of_a_job_leaves_it_to_its_successor(
    addresses: Addresses, superuser: psycopg.Connection
) -> None:
    queue, tasks = f"refused-{os.getpid()}", Blueprint()

    @tasks.task(name=queue, queue=queue)
    async def succeed() -> None:
        pass

    superuser.execute(
        "create function refuse_outcome() returns trigger language plpgsql as"
        " $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$;"
        " create trigger refuse_outcome before update of status on procrastinate_jobs for each row"
        f" when (new.queue_name = '{queue}' and new.status = 'succeeded') execute function refuse_outcome()"
    )
    try:
        app, direct = create_jobs(addresses.application, tasks), create_jobs(addresses.application, tasks)
        database, stopping = Database(addresses.application, pool_size=1), asyncio.Event()
        worker = keep_working(app, stopping=stopping, heartbeat=Heartbeat(), context={"database": database})
        working = asyncio.create_task(worker)
        async with direct.open_async():
            await direct.configure_task(f"tessera:{queue}", queue=queue).defer_async()

        def is_left() -> bool:
            query = "select from procrastinate_jobs where queue_name = %s and status = 'doing' and worker_id is null"
            return superuser.execute(query, [queue]).fetchone() is not None

        await until("the worker left its job", is_left, seconds=20)
        stopping.set()
        await working
        await database.close()
    finally:
        superuser.execute("drop function refuse_outcome cascade")
