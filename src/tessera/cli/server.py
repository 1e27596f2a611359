"""The commands that run the API server and workers."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import EADDRINUSE
from typing import Annotated

import structlog
import typer

import tessera
from tessera import limits, main, provision, schema
from tessera import settings as configuration
from tessera.api.serving import server
from tessera.cli.demo_data import load_demo_data, with_demo_key
from tessera.cli.greeting import show_banner, show_step
from tessera.cli.monitoring import exposing_metrics, require_tracing
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, Embedded, base_url_of, require_database, start
from tessera.demo.credentials import DemoCredentials
from tessera.demo.storefront import page
from tessera.kit import descriptors, tracing
from tessera.kit.db.clocks import MAX_SECONDS
from tessera.kit.sockets import bind
from tessera.provision import Addresses
from tessera.settings import Settings
from tessera.worker import run_until_signalled

log = structlog.get_logger(__name__)

commands = CommandGroup()


@commands.command("serve")
def serve(
    *,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Load the demonstration data; generate a signing key if none is set."),
    ] = False,
) -> None:
    """Run the API server and a worker in one process.

    The database is an embedded Postgres in TESSERA_DATA_DIR unless TESSERA_DATABASE_URL is set.
    """
    settings = start(needs_keys=True, settings=with_demo_key(configuration.load()) if demo else None)
    require_tracing()
    with (
        _listening(settings) as listener,
        _database(settings) as addresses,
        exposing_metrics(settings, backlog_of=addresses.application),
    ):
        show_step("Applying migrations")
        revision = schema.migrate(addresses.owner, addresses.application)
        _check_database(addresses)
        descriptors.raise_limit()
        base_url = base_url_of(settings, listener.getsockname()[1])
        credentials = _load_demo(settings, addresses, base_url) if demo else None
        app = main.create_server(settings, addresses.application, schema_revision=revision, with_worker=True)
        pages = pages_of(settings)
        if credentials and is_local_only(settings, listener):
            page.install(app, credentials.organizations[0])
            pages["storefront"] = page.PATH
        server.serve(
            app,
            listener,
            limits=limits.of_connections(settings),
            on_ready=lambda: show_banner(base_url, pages, settings.data_dir, credentials),
        )


@commands.command("api")
def api(*, embedded: Embedded = False) -> None:
    """Run the API server without a worker.

    The number of processes is TESSERA_PROCESSES. Run `tessera migrate` first.
    """
    settings = start(needs_keys=True)
    require_tracing()
    require_database(settings, embedded=embedded)
    with (
        _listening(settings, processes=settings.processes) as listener,
        provision.database(settings) as addresses,
        exposing_metrics(settings, processes=settings.processes),
    ):
        _check_database(addresses)
        descriptors.raise_limit()
        log.info("serving", address=listener.getsockname()[:2], processes=settings.processes)
        main.serve_api(settings, addresses.application, listener)


@commands.command("worker")
def worker(*, embedded: Embedded = False) -> None:
    """Run a worker without an API server.

    SIGINT and SIGTERM let running jobs finish. Run `tessera migrate` first.
    """
    settings = start()
    require_tracing()
    require_database(settings, embedded=embedded)
    with (
        _health_checks(settings) as health_checks,
        provision.database(settings) as addresses,
        exposing_metrics(settings, backlog_of=addresses.application),
        tracing.exporting("tessera-worker", tessera.__version__),
    ):
        _check_database(addresses)
        descriptors.raise_limit()
        database = main.create_database(settings, addresses.application).within(settings.job_seconds)
        database.measure()
        asyncio.run(run_until_signalled(addresses.application, database=database, health_checks=health_checks))


def pages_of(settings: Settings) -> dict[str, str]:
    """The paths of the pages that every such server has, by name."""
    return {"home page": "/"} | ({"docs page": "/docs"} if settings.docs else {})


def is_local_only(settings: Settings, listener: socket.socket) -> bool:
    """Whether only this machine can reach the server; clients behind a trusted proxy may be anywhere."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback and not settings.trusted_proxies


def _database(settings: Settings) -> AbstractContextManager[Addresses]:
    if settings.database_url is None:
        exists = (settings.data_dir / "postgres").exists()
        show_step(f"{'Starting' if exists else 'Creating'} a Postgres in {settings.data_dir}")
    return provision.database(settings)


def _load_demo(settings: Settings, addresses: Addresses, base_url: str) -> DemoCredentials:
    show_step("Loading the demonstration data")
    return asyncio.run(load_demo_data(settings, addresses, base_url=base_url))


def _check_database(addresses: Addresses) -> None:
    served = schema.check(addresses.application)
    log.info("database", host=served.host, port=served.port, database=served.name, role=served.role)
    if abs(served.seconds_ahead) > MAX_SECONDS:
        log.warning("the clock differs from that of the database", seconds_ahead=round(served.seconds_ahead, 1))


def _listening(settings: Settings, *, processes: int = 1) -> AbstractContextManager[socket.socket]:
    return _bound(settings.host, settings.port, variable="PORT", processes=processes)


def _health_checks(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    if settings.worker_port is None:
        return nullcontext()
    return _bound(settings.host, settings.worker_port, variable="TESSERA_WORKER_PORT")


@contextmanager
def _bound(host: str, port: int, *, variable: str, processes: int = 1) -> Iterator[socket.socket]:
    is_bound = False
    try:
        with bind(host, port, processes=processes) as listener:
            is_bound = True
            yield listener
    except OSError as error:
        # Two servers that start at the same time can bind the same address, but only the first one can listen.
        if is_bound and error.errno != EADDRINUSE:
            raise
        message = f"cannot listen on {host}:{port}: {error.strerror}; set {variable} to another port"
        raise CannotStart(message) from error
