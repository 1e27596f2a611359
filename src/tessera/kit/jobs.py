"""The worker: runs the jobs of the queue, retries those that fail, and survives the loss of its database."""

import asyncio
import copy
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, Blueprint, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from psycopg_pool import AsyncConnectionPool

from tessera.kit import tracing
from tessera.kit.db import clocks
from tessera.kit.db.connections import conninfo, options_for
from tessera.kit.db.database import Database
from tessera.kit.db.engine import CONNECT_SECONDS, DEAD_PEER, QUEUE_SESSION, PromptConnection
from tessera.kit.db.job_queue import NAMESPACE
from tessera.kit.db.roles import role_of
from tessera.kit.errors import DatabaseUnavailable, NotFound, OrganizationFrozen
from tessera.kit.heartbeats import STALLED_AFTER_SECONDS, Heartbeat

POLL_SECONDS = 1  # workers are notified of new jobs, but not of retries
HEARTBEAT_SECONDS = 5
KEEP_HOURS = 72
MAX_PAUSE_SECONDS = 3600
MAX_FROZEN_SECONDS = 600
MAX_RECONNECT_SECONDS = 2
# A server that does not respond to a short statement for this long is given up, even if its machine is alive.
SILENCE_SECONDS = 10
# The pool tries to connect after 0, 1 and 3 seconds. Its next pauses are longer than those of `keep_working`.
POOL_SECONDS = 5
# A former primary that still answers may not have the record of a job.
TRIES_TO_FIND = 2

PeriodicTask = Callable[[JobContext, int], Awaitable[None]]

log = structlog.get_logger(__name__)

housekeeping = Blueprint()


def create_jobs(url: str, *blueprints: Blueprint) -> App:
    """The job queue of this database; connects when it is opened."""
    arguments = {"connect_timeout": CONNECT_SECONDS, "application_name": "tessera worker", **DEAD_PEER}
    connector = PsycopgConnector(
        pool_factory=_ImpatientPool,
        connection_class=PromptConnection,
        conninfo=conninfo(url),
        kwargs=arguments | options_for(url, role_of(url)),
        configure=_prepare_session,
        min_size=1,
        max_size=5,
        timeout=POOL_SECONDS,
    )
    app = App(connector=connector)
    for blueprint in (housekeeping, *blueprints):
        # A copy, because `add_tasks_from` renames the tasks of the blueprint, once for each app.
        app.add_tasks_from(copy.deepcopy(blueprint), namespace=NAMESPACE)
    return app


class _ImpatientPool(AsyncConnectionPool):
    async def open(self, wait: bool = False, timeout: float = POOL_SECONDS) -> None:  # noqa: ASYNC109, FBT001, FBT002
        """Open the pool, as the base class does, but wait for less than 30 seconds."""
        await super().open(wait, timeout)


async def _prepare_session(connection: psycopg.AsyncConnection[Any]) -> None:
    # Each statement of the queue is its own transaction. A frozen worker with an open transaction would keep the row of
    # its heartbeat locked, which every worker that starts later tries to delete.
    await connection.set_autocommit(True)
    await connection.execute(QUEUE_SESSION)


def worker_of(context: JobContext) -> tuple[Database, Callable[[], datetime]]:
    """The database and the clock of the worker that runs a job."""
    return context.additional_context["database"], context.additional_context["clock"]


def by_the_clock(task: PeriodicTask) -> PeriodicTask:
    """A task that expires or closes something, and that does nothing while the clock of its process is wrong.

    A clock that is ahead would end holds early, and close days that then lack their last redemptions for good.
    """

    @functools.wraps(task)
    async def run(context: JobContext, timestamp: int) -> None:
        seconds = await clocks.seconds_ahead(worker_of(context)[0])
        if abs(seconds) > clocks.MAX_SECONDS:
            log.error("nothing is expired or closed: the clock is wrong", task=task.__name__, seconds_ahead=seconds)
            return
        await task(context, timestamp)

    return run


class ExponentialBackoff(BaseRetryStrategy):
    """Retries a job after 1, 2, 4, ... seconds and finally every hour, but after NotFound only twice.

    The jobs of a frozen organization are retried after 30 seconds at first, and then at least every ten minutes.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """The time of the next attempt; logs a warning, so that operators see which jobs keep failing."""
        if isinstance(exception, NotFound) and job.attempts >= TRIES_TO_FIND:
            return None
        pause = min(2**job.attempts, MAX_PAUSE_SECONDS)
        if isinstance(exception, OrganizationFrozen):
            pause = max(exception.retry_after, min(pause, MAX_FROZEN_SECONDS))
        log.warning(
            "job will be retried",
            task=job.task_name,
            job=job.id,
            **job.task_kwargs,
            tries=job.attempts + 1,
            pause=pause,
            error=_reason(exception),
        )
        return RetryDecision(retry_in={"seconds": pause})


def _reason(error: BaseException) -> str:
    # The full text of a database error quotes rows and parameters, which may contain voucher codes.
    cause = getattr(error, "orig", error)
    if isinstance(cause, psycopg.Error):
        return cause.diag.message_primary or type(cause).__name__
    return f"{type(error).__name__}: {error}"


@housekeeping.periodic(cron="* * * * * */10")  # seconds come last
@housekeeping.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Retry jobs whose worker was killed."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        log.warning("job stalled", task=job.task_name, job=job.id)
        try:
            await manager.retry_job_by_id_async(cast("int", job.id), retry_at=datetime.now(UTC))
        except ConnectorException as error:
            # The worker was only slow and finishes the job now, or the next periodic job is already queued. The other
            # stalled jobs are still retried.
            log.warning("stalled job not retried", task=job.task_name, job=job.id, error=str(error.__cause__ or error))


@housekeeping.periodic(cron="17 * * * *")
@housekeeping.task(queueing_lock="delete_old_jobs", pass_context=True)
async def delete_old_jobs(context: JobContext, timestamp: int) -> None:
    """Delete jobs that succeeded more than KEEP_HOURS ago; failed jobs remain for operators."""
    await context.app.job_manager.delete_old_jobs(nb_hours=KEEP_HOURS)


async def keep_working(
    app: App, *, stopping: asyncio.Event, heartbeat: Heartbeat, context: Mapping[str, Any], concurrency: int = 4
) -> None:
    """Run jobs until `stopping` is set, then finish running jobs.

    The worker of procrastinate ends when it loses the database, so it is restarted, with growing pauses.
    """
    stop = asyncio.create_task(stopping.wait())
    pause = 0.5
    while not stopping.is_set():
        start = time.monotonic()
        try:
            async with app.open_async():
                await _work(app, stop, heartbeat, context=context, concurrency=concurrency)
        except (OSError, ConnectorException, psycopg.OperationalError) as error:
            log.warning("worker cannot reach its database", error=str(error.__cause__ or error))
        # Jobs must not see an older server than the queue does, where their records may not exist.
        await context["database"].drop_connections()
        if not stopping.is_set():
            pause = 0.5 if time.monotonic() - start > 60 else min(pause * 2, MAX_RECONNECT_SECONDS)  # noqa: PLR2004 - seconds
            await asyncio.wait({stop}, timeout=pause)


async def _work(
    app: App, stop: asyncio.Task[Any], heartbeat: Heartbeat, *, context: Mapping[str, Any], concurrency: int
) -> None:
    manager = _WorkerJobManager(app, heartbeat)
    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=30,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_AFTER_SECONDS,
            additional_context=dict(context),
            worker_middleware=[tracing.run_job, manager.run_unless_silent],
        )
    )
    lost = asyncio.create_task(manager.lost.wait())
    await asyncio.wait({worker, stop, lost}, return_when=asyncio.FIRST_COMPLETED)
    lost.cancel()
    worker.cancel()  # requests a graceful stop, which waits for running jobs
    (result,) = await asyncio.gather(worker, return_exceptions=True)
    if isinstance(result, Exception):
        log.warning("worker ended and is restarted", error=str(result.__cause__ or result))


class _WorkerJobManager(JobManager):
    """The job manager of one worker, which notes heartbeats; sets `lost` if it cannot go on with its database.

    A job whose outcome cannot be written keeps the state `doing` under a live worker, so the search for stalled jobs
    never finds it. The worker therefore ends, and its successor finds a job without a worker. A server that is frozen
    closes no connection. Each short statement therefore has a time limit, and once one has exceeded it, `silent` ends
    all that would wait for the same server.
    """

    def __init__(self, app: App, heartbeat: Heartbeat) -> None:
        super().__init__(app.connector)
        app.job_manager = self
        self._heartbeat = heartbeat
        self.lost, self.silent = asyncio.Event(), asyncio.Event()

    async def register_worker(self) -> int:
        """Register the worker, which counts as its first heartbeat."""
        worker = await super().register_worker()
        self._heartbeat.beat()
        return worker

    async def finish_job(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Write the final state of a job."""
        async with self._detecting_loss("outcome of a job could not be written"):
            await super().finish_job(*arguments, **options)

    async def retry_job(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Queue a job again."""
        async with self._detecting_loss("outcome of a job could not be written"):
            await super().retry_job(*arguments, **options)

    async def fetch_job(self, *arguments: Any, **options: Any) -> Job | None:  # noqa: ANN401 - passed on
        """Fetch the next job."""
        async with self._detecting_loss("no job could be fetched"):
            return await super().fetch_job(*arguments, **options)

    async def update_heartbeat(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Write the heartbeat of the worker."""
        async with self._detecting_loss("heartbeat could not be written"):
            await super().update_heartbeat(*arguments, **options)
        self._heartbeat.beat()

    async def unregister_worker(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Delete the worker, at its end."""
        async with self._detecting_loss("worker could not be unregistered"):
            await super().unregister_worker(*arguments, **options)

    async def run_unless_silent(self, run: Callable[[], Awaitable[Any]], context: JobContext, _: object) -> Any:  # noqa: ANN401 - the result
        """Run a job, and cancel it when the database is silent."""

        async def work() -> Any:  # noqa: ANN401 - the result
            return await run()

        job = asyncio.create_task(work(), name=context.job.task_name)
        silent = asyncio.create_task(self.silent.wait())
        try:
            await asyncio.wait({job, silent}, return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                raise DatabaseUnavailable
            return job.result()
        finally:
            silent.cancel()
            job.cancel()
            await asyncio.wait({job})

    @asynccontextmanager
    async def _detecting_loss(self, event: str) -> AsyncIterator[None]:
        try:
            if self.silent.is_set():
                raise ConnectorException("the database does not respond")
            async with asyncio.timeout(SILENCE_SECONDS) as limit:
                yield
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                self.silent.set()
            log.warning(event, error=str(error.__cause__ or error) or "the database does not respond")
            self.lost.set()
            raise
