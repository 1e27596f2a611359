"""Getting a database to work with: an outside one by its address, or the embedded one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog
from psycopg import sql

from tessera.kit.embedded_postgres import server as embedded
from tessera.settings import Settings

DATABASE = "tessera"
SUPERUSER = "postgres"
WATCH_SECONDS = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the application logs in, and where its owner does to migrate."""

    application: str
    owner: str


@contextmanager
def database(settings: Settings) -> Iterator[Addresses]:
    """The database of these settings, which runs for as long as the context; raises EmbeddedPostgresError."""
    if settings.database_url:
        yield Addresses(settings.database_url, settings.owner_database_url or settings.database_url)
        return
    with ExitStack() as stack:
        with _undisturbed():
            server = embedded.start(settings.data_dir)
            stack.callback(_stop, server)
        create_database(server, DATABASE)
        stack.enter_context(_watched(server, settings.data_dir))
        yield Addresses(
            application=server.url(user="tessera_app", database=DATABASE),
            owner=server.url(user=SUPERUSER, database=DATABASE),
        )


def _stop(server: embedded.EmbeddedPostgres) -> None:
    with _undisturbed():
        server.stop()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM waiting until the block is over: half a start or half a stop leaves a server behind."""
    received: list[int] = []
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, lambda each, _: received.append(each)) for number in ending}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])


@contextmanager
def _watched(server: embedded.EmbeddedPostgres, directory: Path) -> Iterator[None]:
    """Start the server again when it is gone, as after a kill for want of memory; its users find it by themselves."""
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(server, directory, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(server: embedded.EmbeddedPostgres, directory: Path, ended: threading.Event) -> None:
    while not ended.wait(WATCH_SECONDS):
        if server.is_running():
            continue
        log.error("the embedded Postgres was killed, and is started again")
        try:
            embedded.start(directory).stop()  # the server stays: the use that is watched here keeps it
        except embedded.EmbeddedPostgresError as error:
            log.error("the embedded Postgres does not start", error=str(error))


def create_database(server: embedded.EmbeddedPostgres, name: str) -> None:
    """Create the database where it is missing; several processes may try at once."""
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as admin:
        if admin.execute("select from pg_database where datname = %s", [name]).fetchone() is not None:
            return
        try:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
