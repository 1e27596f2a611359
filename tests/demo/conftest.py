"""A database with only the demonstration data."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from tests.conftest import TOKEN_KEYS, migrated_database

from tessera.demo import load
from tessera.demo.credentials import DemoCredentials
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses


@dataclass(frozen=True)
class Demonstration:
    """The demonstration data, and the time of its load."""

    addresses: Addresses
    directory: Path
    credentials: DemoCredentials
    loaded_at: datetime


@pytest.fixture(scope="module")
def demonstration(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """The demonstration data as loaded, in a database that only the tests of one module share."""
    directory = tmp_path_factory.mktemp("demo")
    with migrated_database(cluster, "demo") as addresses:
        now = clock()
        yield Demonstration(addresses, directory, asyncio.run(load_into(addresses, directory, now=now)), now)


async def load_into(
    addresses: Addresses, directory: Path, *, now: datetime, signer: TokenSigner | None = None
) -> DemoCredentials:
    database = Database(addresses.application)
    signer = signer or TokenSigner(TOKEN_KEYS)
    try:
        return await load.load(database, signer, directory=directory, base_url="http://testserver", now=now)
    finally:
        await database.close()
