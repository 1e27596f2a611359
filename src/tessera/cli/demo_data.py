"""The demonstration data, for the commands that load it."""

import asyncio

from tessera import provision, schema
from tessera import settings as configuration
from tessera.cli.startup import CannotStart, base_url_of
from tessera.demo import load
from tessera.demo.credentials import DemoCredentials
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses
from tessera.settings import Settings


def load_all(settings: Settings) -> None:
    """Migrate the database of these settings, and load the demonstration organizations, unless they exist."""
    with provision.database(settings) as addresses:
        schema.migrate(addresses.owner, addresses.application)
        schema.check(addresses.application)
        asyncio.run(load_demo_data(settings, addresses, base_url=base_url_of(settings, settings.port)))


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
