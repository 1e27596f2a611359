"""The command that loads the demonstration data."""

import asyncio

import typer

from tessera import provision, schema
from tessera import settings as configuration
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, start
from tessera.demo import load
from tessera.demo.credentials import FILE_NAME, Credentials
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses
from tessera.settings import Settings

commands = CommandGroup()


@commands.command("load")
def load_demo() -> None:
    """Load the demonstration organizations, unless they exist.

    Their credentials are written to demo.json in TESSERA_DATA_DIR.
    """
    settings = start(settings=with_demo_key(configuration.load()))
    with provision.database(settings) as addresses:
        schema.migrate(addresses.owner, addresses.application)
        schema.check(addresses.application)
        base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        asyncio.run(load_demo_data(settings, addresses, base_url=base_url))
    typer.echo(f"The credentials are in {settings.data_dir / FILE_NAME}.")


async def load_demo_data(settings: Settings, addresses: Addresses, *, base_url: str) -> list[Credentials]:
    """Load the demonstration organizations, unless they exist, and write their credentials."""
    database = Database(addresses.application)
    signer = TokenSigner(settings.token_keys)
    try:
        return await load.load(database, signer, directory=settings.data_dir, base_url=base_url, now=clock())
    finally:
        await database.close()


def with_demo_key(settings: Settings) -> Settings:
    """The settings with a signing key, which is generated if none is configured; raises CannotStart."""
    try:
        return configuration.with_demo_key(settings)
    except OSError as error:
        raise CannotStart(f"cannot write to TESSERA_DATA_DIR ({settings.data_dir}): {error.strerror}") from error
