"""The queue in Postgres, with workers in separate processes."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from tests.support.commands import SECONDS_TO_END, environment, read_line
from tests.support.waiting import wait_until

from tessera.provision import Addresses

# A worker as in `tessera worker`, with a task that ends only if permitted.
WORKER = """
import asyncio, sys
from procrastinate import Blueprint
from tessera.kit import logging
from tessera.kit.db.database import Database
from tessera.kit.heartbeats import Heartbeat
from tessera.kit.jobs import create_jobs, keep_working

logging.configure()
url, name, permitted = sys.argv[1:]
tasks = Blueprint()

@tasks.task(name=name, queue=name)
async def wait() -> None:
    print("began", flush=True)
    await asyncio.sleep(0 if permitted == "yes" else 3600)
    print("done", flush=True)

async def main() -> None:
    jobs = create_jobs(url, tasks)
    async with jobs.open_async():
        if permitted == "no":
            await jobs.configure_task(f"tessera:{name}", queue=name).defer_async()
    context = {"database": Database(url)}
    await keep_working(jobs, stopping=asyncio.Event(), heartbeat=Heartbeat(), context=context)

asyncio.run(main())
"""


@contextmanager
def worker(addresses: Addresses, name: str, *, permitted: str) -> Iterator["subprocess.Popen[str]"]:
    """A worker process, which is killed at the end."""
    command = [sys.executable, "-c", WORKER, addresses.application, name, permitted]
    process = subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS_TO_END)


def test_a_job_whose_worker_was_killed_is_finished_by_another_one(
    addresses: Addresses, superuser: psycopg.Connection
) -> None:
    name = f"wait-{uuid.uuid4().hex}"

    def job() -> tuple[Any, ...] | None:
        query = "select status, attempts from procrastinate_jobs where queue_name = %s"
        return superuser.execute(query, [name]).fetchone()

    with worker(addresses, name, permitted="no") as killed:
        assert read_line(killed) == "began"
    assert job() == ("doing", 0)
    # As if its last heartbeat were too old.
    superuser.execute(
        "update procrastinate_workers set last_heartbeat = now() - interval '31 seconds'"
        " where id = (select worker_id from procrastinate_jobs where queue_name = %s)",
        [name],
    )
    with worker(addresses, name, permitted="yes") as other:
        assert [read_line(other), read_line(other)] == ["began", "done"]
        wait_until("the job has succeeded", lambda: job() == ("succeeded", 2))
