"""A worker whose database stops responding without closing a connection, and responds again over new ones."""

import asyncio
import os
from pathlib import Path

import pytest
from procrastinate import Blueprint
from sqlalchemy import make_url
from tests.drills.wire import wired
from tests.support.waiting import until

from tessera.kit import jobs
from tessera.kit.db.database import Database
from tessera.kit.heartbeats import Heartbeat
from tessera.kit.jobs import create_jobs, keep_working
from tessera.provision import Addresses


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
