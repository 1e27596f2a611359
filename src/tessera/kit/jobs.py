"""Jobs: work that outlives its request, queued in Postgres in the transaction of its cause."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog
from procrastinate import App, Blueprint, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from sqlalchemy import make_url

from tessera.kit.database import APPLICATION_ROLE

STALLED_AFTER_SECONDS = 30
KEEP_HOURS = 72

log = structlog.get_logger(__name__)

housekeeping = Blueprint()


def create_jobs(url: str, *blueprints: Blueprint) -> App:
    """The job queue in this database; it connects when it is opened."""
    address = make_url(url)
    arguments = {} if address.username == APPLICATION_ROLE else {"options": f"-c role={APPLICATION_ROLE}"}
    conninfo = address.set(drivername="postgresql").render_as_string(hide_password=False)
    app = App(connector=PsycopgConnector(conninfo=conninfo, kwargs=arguments, min_size=1, max_size=5))
    for blueprint in (housekeeping, *blueprints):
        app.add_tasks_from(blueprint, namespace="tessera")
    return app


@housekeeping.periodic(cron="*/15 * * * * *")
@housekeeping.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Give jobs whose worker was killed to another one."""
    for job in await context.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        log.warning("job stalled", task=job.task_name, job=job.id)
        await context.app.job_manager.retry_job(job)


@housekeeping.periodic(cron="17 * * * *")
@housekeeping.task(queueing_lock="delete_old_jobs", pass_context=True)
async def delete_old_jobs(context: JobContext, timestamp: int) -> None:
    """Forget jobs that succeeded days ago; failed ones stay for ops to see."""
    await context.app.job_manager.delete_old_jobs(nb_hours=KEEP_HOURS)


async def keep_working(app: App, *, stopping: asyncio.Event, context: Mapping[str, Any], concurrency: int = 4) -> None:
    """Run jobs until `stopping` is set, then finish those under way.

    The queue's own worker ends when the database goes away, so it is started again, with growing pauses.
    """
    stop = asyncio.create_task(stopping.wait())
    pause = 0.5
    while not stopping.is_set():
        began = time.monotonic()
        try:
            async with app.open_async():
                await _work(app, stop, context=context, concurrency=concurrency)
        except (OSError, ConnectorException) as error:
            log.warning("worker cannot reach its database", error=str(error))
        if not stopping.is_set():
            pause = 0.5 if time.monotonic() - began > 60 else min(pause * 2, 30)  # noqa: PLR2004 - a good minute
            await asyncio.wait({stop}, timeout=pause)


async def _work(app: App, stop: asyncio.Task[Any], *, context: Mapping[str, Any], concurrency: int) -> None:
    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=30,
            additional_context=dict(context),
        )
    )
    await asyncio.wait({worker, stop}, return_when=asyncio.FIRST_COMPLETED)
    worker.cancel()  # a request to finish: jobs under way are waited for
    await asyncio.gather(worker, return_exceptions=True)
