"""The worker: runs the jobs of the queue, retries those that fail, and survives the loss of its database."""

import asyncio
import copy
import functools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, Blueprint, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from tessera.kit import tracing
from tessera.kit.db import clocks
from tessera.kit.db.connections import conninfo, options_for
from tessera.kit.db.engine import CONNECT_SECONDS, DEAD_PEER, QUEUE_SESSION
from tessera.kit.db.job_queue import NAMESPACE
from tessera.kit.db.roles import role_of
from tessera.kit.errors import NotFound
from tessera.kit.heartbeats import STALLED_AFTER_SECONDS, Heartbeat

POLL_SECONDS = 1  # workers are notified of new jobs, but not of retries
HEARTBEAT_SECONDS = 5
KEEP_HOURS = 72
MAX_PAUSE_SECONDS = 3600
MAX_RECONNECT_SECONDS = 4

PeriodicTask = Callable[[JobContext, int], Awaitable[None]]

log = structlog.get_logger(__name__)

housekeeping = Blueprint()


def create_jobs(url: str, *blueprints: Blueprint) -> App:
    """The job queue of this database; connects when it is opened."""
    arguments = {"connect_timeout": CONNECT_SECONDS, "application_name": "tessera worker", **DEAD_PEER}
    connector = PsycopgConnector(
        conninfo=conninfo(url),
        kwargs=arguments | options_for(url, role_of(url)),
        configure=_prepare_session,
        min_size=1,
        max_size=5,
    )
    app = App(connector=connector)
    for blueprint in (housekeeping, *blueprints):
        # A copy, because `add_tasks_from` renames the tasks of the blueprint, once for each app.
        app.add_tasks_from(copy.deepcopy(blueprint), namespace=NAMESPACE)
    return app


async def _prepare_session(connection: psycopg.AsyncConnection[Any]) -> None:
    # Each statement of the queue is its own transaction. A frozen worker with an open transaction would keep the row of
    # its heartbeat locked, which every worker that starts later tries to delete.
    await connection.set_autocommit(True)
    await connection.execute(QUEUE_SESSION)


def by_the_clock(task: PeriodicTask) -> PeriodicTask:
    """A task that expires or closes something, and that does nothing while the clock of its process is wrong.

    A clock that is ahead would end holds early, and close days that then lack their last redemptions for good.
    """

    @functools.wraps(task)
    async def run(context: JobContext, timestamp: int) -> None:
        seconds = await clocks.seconds_ahead(context.additional_context["database"])
        if abs(seconds) > clocks.MAX_SECONDS:
            log.error("nothing is expired or closed: the clock is wrong", task=task.__name__, seconds_ahead=seconds)
            return
        await task(context, timestamp)

    return run


class ExponentialBackoff(BaseRetryStrategy):
    """Retries a job after 1, 2, 4, ... seconds and finally every hour, except after NotFound."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """The time of the next attempt; logs a warning, so that operators see which jobs keep failing."""
        if isinstance(exception, NotFound):
            return None
        pause = min(2**job.attempts, MAX_PAUSE_SECONDS)
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
        if not stopping.is_set():
            pause = 0.5 if time.monotonic() - start > 60 else min(pause * 2, MAX_RECONNECT_SECONDS)  # noqa: PLR2004 - seconds
            await asyncio.wait({stop}, timeout=pause)


async def _work(
    app: App, stop: asyncio.Task[Any], heartbeat: Heartbeat, *, context: Mapping[str, Any], concurrency: int
) -> None:
    outcomes = _Outcomes(app, heartbeat)
    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=30,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_AFTER_SECONDS,
            additional_context=dict(context),
            worker_middleware=[tracing.run_job],
        )
    )
    lost = asyncio.create_task(outcomes.lost.wait())
    await asyncio.wait({worker, stop, lost}, return_when=asyncio.FIRST_COMPLETED)
    lost.cancel()
    worker.cancel()  # requests a graceful stop, which waits for running jobs
    (result,) = await asyncio.gather(worker, return_exceptions=True)
    if isinstance(result, Exception):
        log.warning("worker ended and is restarted", error=str(result.__cause__ or result))


class _Outcomes(JobManager):
    """The job manager of one worker, which notes heartbeats; sets `lost` if the outcome of a job cannot be written.

    Such a job keeps the state `doing` under a live worker, so the search for stalled jobs never finds it. The worker
    therefore ends, and its successor finds a job without a worker.
    """

    def __init__(self, app: App, heartbeat: Heartbeat) -> None:
        super().__init__(app.connector)
        app.job_manager = self
        self._heartbeat = heartbeat
        self.lost = asyncio.Event()

    async def register_worker(self) -> int:
        """Register the worker, which counts as its first heartbeat."""
        worker = await super().register_worker()
        self._heartbeat.beat()
        return worker

    async def update_heartbeat(self, worker_id: int) -> None:
        """Tell the database that the worker runs."""
        await super().update_heartbeat(worker_id)
        self._heartbeat.beat()

    async def finish_job(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Write the final state of a job."""
        with self._detecting_loss():
            await super().finish_job(*arguments, **options)

    async def retry_job(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Queue a job again."""
        with self._detecting_loss():
            await super().retry_job(*arguments, **options)

    @contextmanager
    def _detecting_loss(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.warning("outcome of a job could not be written", error=str(error.__cause__ or error))
            self.lost.set()
            raise
