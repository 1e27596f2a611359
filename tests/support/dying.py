"""Processes of Tessera that kill themselves (SIGKILL) at an exact moment of their work for one organization."""

import asyncio
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool
from tests.support.recording import SentTogether
from tests.support.retaining import apply_to

from tessera import cli, main, provision, schema
from tessera.api.serving import server
from tessera.kit.db.database import Database
from tessera.kit.sockets import bind
from tessera.reports import service as reports
from tessera.retention import service as retention
from tessera.settings import Settings
from tessera.worker import run_until_signalled

NO_ORGANIZATION = UUID(int=2**128 - 1)  # has no transactions

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "tests.support.commands"])


@contextmanager
def process_that_dies(
    run: Callable[..., None], *arguments: Any, organization: UUID, at: int
) -> Iterator[ForkServerProcess]:
    """A process that runs one of the functions below until this moment of its transactions for the organization.

    Moments count from 0: before and after each statement, then before and after COMMIT.
    """
    process = _processes.Process(target=run, args=(*arguments, str(organization), at))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(60)
        assert process.exitcode is not None, "a killed process did not end within 60 s"


def worker_process(url: str) -> AbstractContextManager[ForkServerProcess]:
    """A worker, which is killed at the end; unlike `tessera worker`, it need not import the application."""
    return process_that_dies(worker, url, organization=NO_ORGANIZATION, at=0)


def has_ended(process: ForkServerProcess) -> bool:
    """Whether the process has ended or was killed."""
    return process.exitcode is not None


def worker(url: str, organization: str, at: int) -> None:
    """The process of `tessera worker`."""
    _kill_this_process(organization, at)
    asyncio.run(run_until_signalled(url, database=provision.create_pool(Settings(), url)))


def roll_up(url: str, organization: str, at: int) -> None:
    """The roll-up of the closed days of the organization."""
    _kill_this_process(organization, at)
    asyncio.run(_roll_up(url, UUID(organization)))


async def _roll_up(url: str, organization_id: UUID) -> None:
    database, has_more = Database(url, pool_size=1), True
    while has_more:
        async with database.unit_of_work(organization_id) as work:
            has_more = bool(await reports.roll_up(work, [work.organization_id], now=datetime.now(UTC)))


def retain(url: str, organization: str, at: int) -> None:
    """The retention of the organization, in transactions of two redemptions."""
    _kill_this_process(organization, at)
    retention.STEPS = tuple(step._replace(size=2) for step in retention.STEPS)
    asyncio.run(apply_to(Database(url, pool_size=1), UUID(organization), now=datetime.now(UTC)))


def api(url: str, port: int, token_keys: dict[str, str], organization: str, at: int) -> None:
    """The server of `tessera api` on this port."""
    _kill_this_process(organization, at)
    settings = Settings(TESSERA_PORT=port, token_keys=token_keys)
    app = main.create_server(settings, url, schema_revision=schema.latest_revision())
    server.serve(app, bind(settings.host, settings.port))


def command(url: str, arguments: tuple[str, ...], organization: str, at: int) -> None:
    """A command of `tessera`; it exits with status 0 if it survives."""
    _kill_this_process(organization, at)
    os.environ["TESSERA_DATABASE_URL"] = url
    sys.argv = ["tessera", *arguments]
    cli.run()


def _kill_this_process(organization: str, at: int) -> None:
    death = _Death(organization, at)
    event.listen(Engine, "before_cursor_execute", death.before)
    event.listen(Engine, "after_cursor_execute", death.after)
    event.listen(Engine, "commit", death.commit)
    event.listen(Pool, "reset", death.reset)
    # Statements that reach the driver without SQLAlchemy.
    send = psycopg.AsyncConnection.execute

    async def execute(driver: Any, *arguments: Any, **options: Any) -> Any:
        death.pass_moment(driver)
        death.sent.begins(driver, "")
        cursor = await send(driver, *arguments, **options)
        death.pass_moment(driver)
        return cursor

    psycopg.AsyncConnection.execute = execute  # type: ignore[assignment,method-assign]  # overloads


class _Death:
    """Counts the moments of the transactions for an organization, and kills this process at one of them."""

    def __init__(self, organization: str, at: int) -> None:
        self.sent = SentTogether()
        self._organization = organization
        self._at = at
        self._moments = itertools.count()
        # The connections of the driver that are in a transaction of the organization.
        self._connections = set[Any]()

    def pass_moment(self, driver: Any) -> None:
        if driver in self._connections and next(self._moments) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, connection: Any, _: Any, text: str, *__: Any) -> None:
        driver = connection.connection.driver_connection
        # The statement of BEGIN contains the id of the organization.
        if self._organization in text and not _is_sealing():
            self._connections.add(driver)
        if driver in self._connections and self.sent.begins(driver, text):
            self.pass_moment(driver)

    def after(self, connection: Any, _: Any, text: str, *__: Any) -> None:
        driver = connection.connection.driver_connection
        if self.sent.latest.get(driver) == text:
            self.pass_moment(driver)

    def commit(self, connection: Any) -> None:
        self.pass_moment(connection.connection.driver_connection)

    def reset(self, _: Any, record: Any, __: Any) -> None:
        self.pass_moment(record.driver_connection)
        self._connections.discard(record.driver_connection)
        self.sent.begins(record.driver_connection, "")


def _is_sealing() -> bool:
    # The periodic job that seals the audit log is not part of the work under test, so its statements do not count.
    task = asyncio.current_task()
    return task is not None and "seal_audit" in task.get_name()
