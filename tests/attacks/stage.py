"""The stage of an attack: a real server process, organization A whose credentials the stranger has, and others."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tessera import main, provision, schema
from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.settings import Settings
from tests.attacks.parties import OWN_CODES, Party, Stage
from tests.support.commands import running_server
from tests.support.factories import add_promo_codes, create_tenant, percent_code
from tests.support.purchasing import open_market

TOKEN_KEYS = "attack:a-signing-key-of-the-attacks-alone-0123456789"


@asynccontextmanager
async def _resources(addresses: Addresses) -> AsyncIterator[Resources]:
    settings = Settings(token_keys=TOKEN_KEYS)
    database = provision.create_pool(settings, addresses.application)
    yield main.create_resources(settings, database, schema_revision=schema.latest_revision())
    await database.close()


async def populate(addresses: Addresses) -> tuple[Party, ...]:
    """Seven organizations, each with a few promo codes, a partner and a free program."""
    now = datetime.now(UTC)
    async with _resources(addresses) as resources:
        tenants = tuple([await create_tenant(resources, now=now) for _ in range(7)])
        for tenant in tenants:
            codes = [percent_code(tenant, f"SPRING{number}", max_redemptions=1_000_000) for number in range(OWN_CODES)]
            await add_promo_codes(resources, tenant, *codes, now=now)
            await open_market(resources, tenant, now=now)
    return tuple(Party(each.id, each.key.secret, each.token.secret, each.client.name) for each in tenants)


def server_settings(addresses: Addresses) -> dict[str, str]:
    """The settings of a server on this database, which logs warnings and errors."""
    return {
        "TESSERA_DATABASE_URL": addresses.application,
        "TESSERA_OWNER_DATABASE_URL": addresses.owner,
        "TESSERA_TOKEN_KEYS": TOKEN_KEYS,
        "TESSERA_LOG_LEVEL": "WARNING",
    }


@contextmanager
def serving(addresses: Addresses, parties: Sequence[Party], directory: Path, **settings: str) -> Iterator[Stage]:
    """The real server with a worker and, unless `settings` change them, with its default limits."""
    with running_server("serve", data=directory, **server_settings(addresses) | settings) as server:
        a, b, *others = parties
        yield Stage(server.url, server.process.pid, a, b, tuple(others))
