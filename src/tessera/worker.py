"""The composition root of the worker: runs the jobs of all slices from one queue."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tessera.audit import jobs as audit
from tessera.idempotency import jobs as idempotency
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.heartbeats import Heartbeat, answering
from tessera.kit.jobs import create_jobs, keep_working
from tessera.promo_codes.batches import jobs as promo_code_batches
from tessera.redemptions import jobs as redemptions
from tessera.reports import jobs as reports
from tessera.retention import jobs as retention
from tessera.vouchers import jobs as vouchers


async def work(
    url: str, *, database: Database, stopping: asyncio.Event, health_checks: socket.socket | None = None
) -> None:
    """Run jobs until `stopping` is set, and answer health checks at a listening socket."""
    blueprints = (
        vouchers.blueprint,
        promo_code_batches.blueprint,
        redemptions.blueprint,
        reports.blueprint,
        idempotency.blueprint,
        audit.blueprint,
        retention.blueprint,
    )
    jobs, heartbeat = create_jobs(url, *blueprints), Heartbeat()
    async with answering(heartbeat, health_checks):
        await keep_working(jobs, stopping=stopping, heartbeat=heartbeat, context={"database": database, "clock": clock})


@asynccontextmanager
async def running(url: str, *, database: Database) -> AsyncIterator[None]:
    """Run a worker in this process until the block ends."""
    stopping = asyncio.Event()
    task = asyncio.create_task(work(url, database=database, stopping=stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def run_until_signalled(url: str, *, database: Database, health_checks: socket.socket | None = None) -> None:
    """Run jobs until SIGINT or SIGTERM, then finish running jobs and close the connections."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not loop.is_closed():  # the handler outlives the loop, so that a second signal does no harm
            loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        await work(url, database=database, stopping=stopping, health_checks=health_checks)
    finally:
        await database.close()
