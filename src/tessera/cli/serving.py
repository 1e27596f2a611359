"""Commands that run the server and its parts."""

import asyncio
import os
import signal
import sys
from typing import Annotated

import typer

from tessera import main, provision, schema
from tessera import settings as configuration
from tessera.cli import greeting
from tessera.cli.failures import CannotStart
from tessera.demo import load as demonstration
from tessera.kit import logging
from tessera.kit.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses
from tessera.settings import Settings

Demo = Annotated[
    bool, typer.Option("--demo", help="Load the demonstration data; make up a signing key if none is set.")
]

demo_commands = typer.Typer(no_args_is_help=True)


def serve(demo: Demo = False) -> None:
    """Serve the API with a worker inside, on an embedded Postgres unless TESSERA_DATABASE_URL is set."""
    settings = _start(demo=demo, needs_keys=True)
    with _listening(settings) as listener, provision.database(settings) as addresses:
        revision = schema.migrate(addresses.owner, addresses.application)
        base_url = settings.public_url or f"http://{settings.host}:{listener.getsockname()[1]}"
        credentials = asyncio.run(_load_demo(settings, addresses, base_url=base_url)) if demo else []
        app = main.create_server(settings, addresses.application, schema_revision=revision, with_worker=True)
        main.serve(app, listener, on_ready=lambda: greeting.show(base_url, settings.data_dir, credentials))


def api() -> None:
    """Serve the API alone, in TESSERA_PROCESSES processes; run `tessera migrate` before."""
    settings = _start(needs_keys=True)
    with _listening(settings) as listener, provision.database(settings) as addresses:
        main.serve_processes(settings, addresses.application, listener)


def worker() -> None:
    """Run jobs alone, until SIGINT or SIGTERM; run `tessera migrate` before."""
    settings = _start()
    with provision.database(settings) as addresses:
        asyncio.run(main.run_worker(settings, addresses.application))


def migrate() -> None:
    """Create the database roles where they are missing, and apply every pending migration."""
    settings = _start()
    with provision.database(settings) as addresses:
        typer.echo(f"The database is at revision {schema.migrate(addresses.owner, addresses.application)}.")


@demo_commands.command("load")
def load_demo() -> None:
    """Load the demonstration organizations once, and write demo.json into TESSERA_DATA_DIR."""
    settings = _start(demo=True)
    with provision.database(settings) as addresses:
        schema.migrate(addresses.owner, addresses.application)
        base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        asyncio.run(_load_demo(settings, addresses, base_url=base_url))
    typer.echo(f"The credentials are in {settings.data_dir / demonstration.FILE_NAME}.")


def _start(*, demo: bool = False, needs_keys: bool = False) -> Settings:
    settings = configuration.load()
    if demo:
        settings = configuration.with_demo_key(settings)
    if needs_keys and not settings.token_keys:
        raise CannotStart("TESSERA_TOKEN_KEYS is not set: give it kid:secret, such as 1:$(openssl rand -hex 32)")
    logging.configure(level=settings.log_level)
    # Leave by the front door on these too: the embedded database stops on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    return settings


def _listening(settings: Settings) -> main.Listener:
    try:
        return main.listen(settings)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotStart(
            f"cannot listen on {settings.host}:{settings.port}: {reason}. Set PORT to another."
        ) from error


async def _load_demo(settings: Settings, addresses: Addresses, *, base_url: str) -> list[demonstration.Credentials]:
    database = Database(addresses.application)
    try:
        return await demonstration.load(
            database,
            TokenSigner(settings.token_keys),
            directory=settings.data_dir,
            base_url=base_url,
            now=main.clock(),
        )
    finally:
        await database.close()
