"""A database of its own: 100,000 rows in tables of the catalog change the plans of all other statements."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.conftest import Clock, migrated_database, opened_resources

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.settings import Settings


@pytest.fixture(scope="session")
def addresses(cluster: str) -> Iterator[Addresses]:
    with migrated_database(cluster, "array_plans") as found:
        yield found


@pytest.fixture(scope="session")
async def resources(settings: Settings, addresses: Addresses, shared_clock: Clock) -> AsyncIterator[Resources]:
    async with opened_resources(settings, addresses, shared_clock) as found:
        yield found
