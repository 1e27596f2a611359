"""Provisioning of the database: an external one by its URL, or the embedded one."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog
from psycopg import sql

from tessera.kit.db.database import Database
from tessera.kit.db.roles import APPLICATION_ROLE, OWNER_ROLE, role_of, with_role
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.embedded_postgres.archive import Archive
from tessera.kit.shares import SlotTimeouts
from tessera.settings import Settings

DATABASE = "tessera"
SUPERUSER = "postgres"
WATCH_SECONDS = 0.5
Roles = tuple[str, str]  # of the owner, and of the application

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The database URLs of the application and of the owner role, which runs migrations."""

    application: str
    owner: str

    @property
    def roles(self) -> Roles:
        """The roles of the owner and of the application."""
        return role_of(self.owner, OWNER_ROLE), role_of(self.application)


def create_pool(settings: Settings, url: str) -> Database:
    """The connection pool of one process; the first use opens a connection."""
    return Database(
        url,
        pool_size=settings.pool_size,
        share=max(1, settings.pool_size * settings.organization_share_percent // 100),
        slot_timeouts=SlotTimeouts(own_share=settings.share_wait_seconds),
        prepare_statements=settings.prepare_statements,
        deadline=settings.request_seconds,
    )


@contextmanager
def database(settings: Settings) -> Iterator[Addresses]:
    """Provide the database of these settings until the context ends; raises EmbeddedPostgresError."""
    if settings.database_url:
        yield _addresses(settings, settings.database_url, settings.owner_database_url or settings.database_url)
        return
    archive = archive_of(settings)
    if archive:
        archive.require_database()
        archive.create()
    options = archive.settings if archive else {}
    with ExitStack() as stack:
        with _signals_deferred():
            server = embedded.start(settings.data_dir, settings=options)
            stack.callback(_stop, server)
        if archive:
            archive.claim()
        create_database(server, DATABASE)
        stack.enter_context(_supervised(server, settings.data_dir, options))
        application = server.url(user=settings.application_role, database=DATABASE)
        yield _addresses(settings, application, server.url(user=SUPERUSER, database=DATABASE))


def _addresses(settings: Settings, application: str, owner: str) -> Addresses:
    if settings.application_role != APPLICATION_ROLE:
        application = with_role(application, settings.application_role)
    if settings.owner_role != OWNER_ROLE:
        owner = with_role(owner, settings.owner_role)
    return Addresses(application, owner)


def archive_of(settings: Settings) -> Archive | None:
    """The archive of the embedded server, if the settings name one."""
    if settings.archive_dir is None:
        return None
    return Archive(settings.archive_dir.expanduser().resolve(), settings.data_dir.expanduser().resolve())


def _stop(server: embedded.EmbeddedPostgres) -> None:
    with _signals_deferred():
        server.stop()


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM to the end of the block: an interrupted start or stop would leave a server behind."""
    signals: list[int] = []
    deferrable = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, lambda number, _: signals.append(number)) for number in deferrable}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if signals:
        signal.raise_signal(signals[0])


@contextmanager
def _supervised(server: embedded.EmbeddedPostgres, directory: Path, options: Mapping[str, str]) -> Iterator[None]:
    """Restart the server after it was killed, for example by the out-of-memory killer; its clients then reconnect."""
    stopping = threading.Event()
    thread = threading.Thread(target=_supervise, args=(server, directory, options, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _supervise(
    server: embedded.EmbeddedPostgres, directory: Path, options: Mapping[str, str], stopping: threading.Event
) -> None:
    while not stopping.wait(WATCH_SECONDS):
        try:
            if server.is_running():
                continue
            log.error("the embedded Postgres was killed and is restarted")
            embedded.start(directory, settings=options).stop()  # ends only this second use; the server keeps running
        except (embedded.EmbeddedPostgresError, OSError) as error:
            # OSError: without a free file descriptor the check fails now, and may succeed the next time. This thread
            # must not end, because nothing else restarts the server.
            log.error("the embedded Postgres does not start", error=str(error))


def create_database(server: embedded.EmbeddedPostgres, name: str) -> None:
    """Create the database if it is missing; concurrent calls are safe."""
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as admin:
        if admin.execute("select from pg_database where datname = %s", [name]).fetchone() is not None:
            return
        try:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
