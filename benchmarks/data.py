"""The database of a benchmark: an embedded one of its own, with many organizations, keys and promo codes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from tessera import schema
from tessera.identity import credentials
from tessera.identity.credentials import CredentialName
from tessera.kit import embedded
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses, create_database

DATABASE = "benchmark"

PROMO_CODES = """
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version
)
select %(organization)s, gen_random_uuid(), 'CODE' || n, 'Active', n %% 100 + 1, now() + interval '1 year', 1000, 0,
       false, false, false, now(), 1
from generate_series(1, %(codes)s) n
"""


@dataclass(frozen=True, slots=True)
class Storefront:
    """One organization of the benchmark with its key."""

    organization_id: UUID
    api_key: str


@contextmanager
def database(**settings: str) -> Iterator[Addresses]:
    """A fresh, migrated database with durability as in production."""
    with tempfile.TemporaryDirectory(prefix="tessera-benchmark-") as directory:
        server = embedded.start(Path(directory) / "data", settings={"max_connections": "300"} | settings)
        try:
            create_database(server, DATABASE)
            found = Addresses(
                application=server.url(user="tessera_app", database=DATABASE),
                owner=server.url(user="postgres", database=DATABASE),
            )
            schema.migrate(found.owner, found.application)
            yield found
        finally:
            server.stop()


def connect(addresses: Addresses) -> psycopg.Connection:
    """A superuser's connection."""
    return psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True)


def load_promo_codes(addresses: Addresses, *, organizations: int, codes: int) -> list[Storefront]:
    """That many organizations with a key and that many codes each, `CODE1` and so on."""
    storefronts = []
    with connect(addresses) as connection:
        for number in range(organizations):
            storefronts.append(_load_storefront(connection, number))
            parameters = {"organization": storefronts[-1].organization_id, "codes": codes}
            connection.execute(PROMO_CODES, parameters)
        connection.execute("vacuum analyze")
    return storefronts


def _load_storefront(connection: psycopg.Connection, number: int) -> Storefront:
    organization_id, key_id, now = new_id(), new_id(), datetime.now(UTC)
    key = credentials.new_key_text(CredentialName(organization_id, key_id))
    connection.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, %s, true, %s, 1)",
        [organization_id, f"Organization {number}", now],
    )
    connection.execute(
        "insert into api_keys (organization_id, id, name, key_digest, function_points, created_at, version)"
        " values (%s, %s, 'Benchmark', %s, '{StorefrontRedeem}', %s, 1)",
        [organization_id, key_id, credentials.digest_of(key), now],
    )
    return Storefront(organization_id, key)
