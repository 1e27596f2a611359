"""Jobs: work that outlives its request, queued in Postgres in the transaction of its cause."""

import asyncio
import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, Blueprint, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from psycopg.conninfo import make_conninfo

from tessera.kit.db.engine import APPLICATION_ROLE, with_driver
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound

POLL_SECONDS = 1  # new jobs announce themselves, those to be tried again do not
HEARTBEAT_SECONDS = 5
STALLED_AFTER_SECONDS = 15  # three heartbeats that did not come
KEEP_HOURS = 72
MAX_PAUSE_SECONDS = 3600
NAMESPACE = "tessera"

log = structlog.get_logger(__name__)

housekeeping = Blueprint()


def create_jobs(url: str, *blueprints: Blueprint) -> App:
    """The job queue in this database; it connects when it is opened."""
    address = with_driver(url)
    # Not the address itself: SQLAlchemy writes a space as `+`, which libpq takes for a plus.
    _, parameters = address.get_dialect()().create_connect_args(address)
    arguments = {} if address.username == APPLICATION_ROLE else {"options": f"-c role={APPLICATION_ROLE}"}
    connector = PsycopgConnector(
        conninfo=make_conninfo(**parameters),
        kwargs=arguments,
        # Each statement of the queue is a transaction of its own, with nothing open between them: a worker that is
        # frozen would keep a row of its own locked, which all that start after it delete first.
        configure=lambda connection: connection.set_autocommit(True),
        min_size=1,
        max_size=5,
    )
    app = App(connector=connector)
    for blueprint in (housekeeping, *blueprints):
        # A copy, because the names of the blueprint's own tasks are changed here, by every app anew.
        app.add_tasks_from(copy.deepcopy(blueprint), namespace=NAMESPACE)
    return app


# Only for putting jobs on a connection that a unit of work has; it never connects by itself.
_deferring = App(connector=PsycopgConnector())


async def defer(work: UnitOfWork, task: str, *arguments: Mapping[str, str]) -> None:
    """Queue a job for each of these arguments in this transaction: they run once it is committed, and never else."""
    connection = await work.driver_connection()
    configured = _deferring.configure_task(f"{NAMESPACE}:{task}", connection=connection)
    each_job: list[dict[str, Any]] = [{**each} for each in arguments]
    await configured.batch_defer_async(*each_job)


class ExponentialBackoff(BaseRetryStrategy):
    """Tries a job again after 1, 2, 4, ... seconds, at last every hour; gives up what does not exist."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When the job runs again; logged, so that ops see what keeps failing."""
        if isinstance(exception, NotFound):
            return None
        pause = min(2 ** min(job.attempts, 20), MAX_PAUSE_SECONDS)
        log.warning(
            "job will be tried again",
            task=job.task_name,
            job=job.id,
            **job.task_kwargs,
            tries=job.attempts + 1,
            pause=pause,
            error=_reason(exception),
        )
        return RetryDecision(retry_in={"seconds": pause})


def _reason(error: BaseException) -> str:
    # Not the whole text of a database error: it quotes rows and parameters, and with them voucher codes.
    cause = getattr(error, "orig", error)
    if isinstance(cause, psycopg.Error):
        return cause.diag.message_primary or type(cause).__name__
    return f"{type(error).__name__}: {error}"


@housekeeping.periodic(cron="* * * * * */10")  # seconds come last
@housekeeping.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Give jobs whose worker was killed to another one."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        log.warning("job stalled", task=job.task_name, job=job.id)
        try:
            await manager.retry_job_by_id_async(cast("int", job.id), retry_at=datetime.now(UTC))
        except ConnectorException as error:
            # Its worker was only slow and ends it just now, or its periodic successor waits already. The others among
            # the stalled ones must not wait for that.
            log.warning("stalled job not retried", task=job.task_name, job=job.id, error=str(error.__cause__ or error))


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
        except (OSError, ConnectorException, psycopg.OperationalError) as error:
            log.warning("worker cannot reach its database", error=str(error.__cause__ or error))
        if not stopping.is_set():
            pause = 0.5 if time.monotonic() - began > 60 else min(pause * 2, 30)  # noqa: PLR2004 - a good minute
            await asyncio.wait({stop}, timeout=pause)


async def _work(app: App, stop: asyncio.Task[Any], *, context: Mapping[str, Any], concurrency: int) -> None:
    outcomes = _Outcomes(app)
    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=30,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_AFTER_SECONDS,
            additional_context=dict(context),
        )
    )
    lost = asyncio.create_task(outcomes.lost.wait())
    await asyncio.wait({worker, stop, lost}, return_when=asyncio.FIRST_COMPLETED)
    lost.cancel()
    worker.cancel()  # a request to finish: jobs under way are waited for
    (ended,) = await asyncio.gather(worker, return_exceptions=True)
    if isinstance(ended, Exception):
        log.warning("worker ended, and is started again", error=str(ended.__cause__ or ended))


class _Outcomes(JobManager):
    """The job manager of one worker, which tells when the outcome of a job could not be written.

    Such a job stays `doing` under a worker that lives, where nobody looks for stalled jobs: it would wait for ever. So
    the worker ends, and its successor finds the job without one.
    """

    def __init__(self, app: App) -> None:
        super().__init__(app.connector)
        app.job_manager = self
        self.lost = asyncio.Event()

    async def finish_job(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed on
        """End a job."""
        with self._noticing():
            await super().finish_job(*arguments, **named)

    async def retry_job(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed on
        """Put a job back."""
        with self._noticing():
            await super().retry_job(*arguments, **named)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.warning("outcome of a job not written", error=str(error.__cause__ or error))
            self.lost.set()
            raise
