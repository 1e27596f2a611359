"""The commands that run the API server."""

import asyncio
import ipaddress
import socket
from contextlib import AbstractContextManager
from typing import Annotated

import structlog
import typer

from tessera import limits, main, provision, schema
from tessera import settings as configuration
from tessera.api.serving import server
from tessera.cli.demo_data import load_demo_data, with_demo_key
from tessera.cli.greeting import show_banner, show_step
from tessera.cli.monitoring import exposing_metrics, require_tracing
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.processes import check_database, listening
from tessera.cli.startup import Embedded, base_url_of, start, start_api
from tessera.demo.credentials import DemoCredentials
from tessera.demo.storefront import page
from tessera.kit import descriptors
from tessera.provision import Addresses
from tessera.settings import Settings

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
        listening(settings.host, settings.port, variable="PORT") as listener,
        _database(settings) as addresses,
        exposing_metrics(settings, backlog_of=addresses.application),
    ):
        show_step("Applying migrations")
        revision = schema.migrate(addresses.owner, addresses.application)
        check_database(addresses)
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
    settings = start_api(embedded=embedded)
    require_tracing()
    with (
        listening(settings.host, settings.port, variable="PORT", processes=settings.processes) as listener,
        provision.database(settings) as addresses,
        exposing_metrics(settings, processes=settings.processes),
    ):
        check_database(addresses)
        descriptors.raise_limit()
        log.info("serving", address=listener.getsockname()[:2], processes=settings.processes)
        main.serve_api(settings, addresses.application, listener)


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
