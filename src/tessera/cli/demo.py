"""Commands on the demonstration data."""

import asyncio
import shlex

import typer

from tessera import provision, schema
from tessera import settings as configuration
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, base_url_of, start
from tessera.demo import credentials, load
from tessera.demo.credentials import FILE_NAME, DemoCredentials
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
        asyncio.run(load_demo_data(settings, addresses, base_url=base_url_of(settings, settings.port)))
    typer.echo(f"The credentials are in {settings.data_dir / FILE_NAME}.")


@commands.command("env")
def show_environment() -> None:
    """Print shell commands that set the URL and the credentials of the demonstration as variables.

    Use them with `eval "$(tessera demo env)"`. The variables are those of the first organization in demo.json.
    """
    path = configuration.load().data_dir / FILE_NAME
    demo = credentials.read(path)
    if demo is None:
        raise CannotStart(f"there is no {path}; run `tessera serve --demo` first, with the same TESSERA_DATA_DIR")
    for name, value in demo.variables().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


async def load_demo_data(settings: Settings, addresses: Addresses, *, base_url: str) -> DemoCredentials:
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
