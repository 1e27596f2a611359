"""Commands that run the server and its parts."""

import asyncio
import ipaddress
import socket
from typing import Annotated

import structlog
import typer

from tessera import provision, schema
from tessera import settings as configuration
from tessera.api.serving import server
from tessera.cli import banner
from tessera.cli.failures import CannotStart
from tessera.cli.startup import start
from tessera.demo import load as demonstration
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.sockets import listen
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses
from tessera.settings import Settings
from tessera.worker import run_until_signalled

Demo = Annotated[
    bool, typer.Option("--demo", help="Load the demonstration data; make up a signing key if none is set.")
]

log = structlog.get_logger(__name__)

demo_commands = typer.Typer(no_args_is_help=True)


def serve(demo: Demo = False) -> None:
    """Serve the API with a worker inside.

    The database is an embedded Postgres in TESSERA_DATA_DIR, unless TESSERA_DATABASE_URL names another one.
    """
    # What HTTP needs takes longer to import than all else, and most commands need none of it.
    from tessera import main  # noqa: PLC0415
    from tessera.demo.storefront import page  # noqa: PLC0415

    settings = start(needs_keys=True, settings=_with_key(configuration.load()) if demo else None)
    with _listening(settings) as listener, provision.database(settings) as addresses:
        revision = schema.migrate(addresses.owner, addresses.application)
        schema.check(addresses.application)
        base_url = settings.public_url or f"http://{settings.host}:{listener.getsockname()[1]}"
        credentials = asyncio.run(_load_demo(settings, addresses, base_url=base_url)) if demo else []
        app = main.create_server(settings, addresses.application, schema_revision=revision, with_worker=True)
        pages = {"docs page": "/docs"}
        if credentials and answers_here_alone(settings, listener):
            page.install(app, credentials[0])
            pages["storefront"] = page.PATH
        server.serve(app, listener, on_ready=lambda: banner.show(base_url, pages, settings.data_dir, credentials))


def api() -> None:
    """Serve the API alone.

    It takes TESSERA_PROCESSES processes. Run `tessera migrate` before.
    """
    from tessera import main  # noqa: PLC0415 - as above

    settings = start(needs_keys=True)
    with (
        _listening(settings, processes=settings.processes) as listener,
        provision.database(settings) as addresses,
    ):
        schema.check(addresses.application)
        log.info("serving", address=listener.getsockname()[:2], processes=settings.processes)
        main.serve_api(settings, addresses.application, listener)


def worker() -> None:
    """Run jobs alone.

    Jobs under way are finished after SIGINT or SIGTERM. Run `tessera migrate` before.
    """
    from tessera import main  # noqa: PLC0415 - as above

    settings = start()
    with provision.database(settings) as addresses:
        schema.check(addresses.application)
        asyncio.run(
            run_until_signalled(addresses.application, database=main.create_database(settings, addresses.application))
        )


def migrate() -> None:
    """Bring the database up to date.

    Creates the roles where they are missing, and applies every pending migration.
    """
    settings = start()
    with provision.database(settings) as addresses:
        typer.echo(f"The database is at revision {schema.migrate(addresses.owner, addresses.application)}.")


@demo_commands.command("load")
def load_demo() -> None:
    """Load the demonstration organizations once.

    Their credentials are written to demo.json in TESSERA_DATA_DIR.
    """
    settings = start(settings=_with_key(configuration.load()))
    with provision.database(settings) as addresses:
        schema.migrate(addresses.owner, addresses.application)
        schema.check(addresses.application)
        base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        asyncio.run(_load_demo(settings, addresses, base_url=base_url))
    typer.echo(f"The credentials are in {settings.data_dir / demonstration.FILE_NAME}.")


def _with_key(settings: Settings) -> Settings:
    try:
        return configuration.with_demo_key(settings)
    except OSError as error:
        raise CannotStart(f"cannot write to TESSERA_DATA_DIR ({settings.data_dir}): {error.strerror}") from error


def answers_here_alone(settings: Settings, listener: socket.socket) -> bool:
    """Whether this machine alone can ask the server; whoever is behind a proxy may be anybody."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback and not settings.trusted_proxies


def _listening(settings: Settings, *, processes: int = 1) -> socket.socket:
    try:
        return listen(settings.host, settings.port, processes=processes)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise CannotStart(f"cannot listen on {place}: {error.strerror}; set PORT to another") from error


async def _load_demo(settings: Settings, addresses: Addresses, *, base_url: str) -> list[demonstration.Credentials]:
    database = Database(addresses.application)
    try:
        return await demonstration.load(
            database,
            TokenSigner(settings.token_keys),
            directory=settings.data_dir,
            base_url=base_url,
            now=clock(),
        )
    finally:
        await database.close()
