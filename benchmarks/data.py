"""The database of a benchmark: an embedded Postgres with many organizations, keys and promo codes."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.servers import DATABASE_PID
from tessera import schema
from tessera.identity import provisioning
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner
from tessera.provision import Addresses, create_database

DATABASE = "benchmark"
TOKEN_KEYS = {"benchmark": "benchmark-0123456789-abcdefghijklmnop"}
# Settings for a machine of this size. Durability is as in production.
SETTINGS = {"max_connections": "200", "maintenance_work_mem": "1GB", "max_wal_size": "8GB"}

PROMO_CODES = """
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version
)
select %(organization)s, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'CODE' || n, 'Active',
       n %% 100 + 1, now() + interval '1 year', 100000, 0, 0, false, %(listed)s, false, now(), 1
from generate_series(1, %(codes)s) n
"""
EXAMS = """
insert into store_exams (organization_id, id, code, name, price, status, created_at, version)
values (%(organization)s, %(exam)s, 'EXAM', 'Exam', 100, 'Active', now(), 1),
       (%(organization)s, %(other_exam)s, 'OTHER', 'Other', 100, 'Active', now(), 1)
"""
PROMO_CODE_EXAMS = """
insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
select organization_id, p.id, e.id, case e.code when 'EXAM' then 0 else 1 end
from promo_codes p join store_exams e using (organization_id) where organization_id = %(organization)s
"""
EMAIL_ADDRESSES = """
insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
select organization_id, id, 'candidate' || n || '@example.com', 'Candidate' || n || '@example.com', n
from promo_codes, generate_series(1, 5) n where organization_id = %(organization)s
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """An organization with an API key, two exams and, if it has a user, a Bearer token."""

    organization_id: UUID
    key_id: UUID
    api_key: str
    exam_id: UUID
    token: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        """The Authorization header of the user."""
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def database() -> Iterator[tuple[Addresses, psycopg.Connection]]:
    """The addresses of a new, migrated database, and a connection of a superuser."""
    with tempfile.TemporaryDirectory(prefix="tessera-benchmark-") as directory:
        server = embedded.start(Path(directory) / "data", settings=SETTINGS)
        try:
            create_database(server, DATABASE)
            addresses = Addresses(
                application=server.url(user="tessera_app", database=DATABASE),
                owner=server.url(user="postgres", database=DATABASE),
            )
            schema.migrate(addresses.owner, addresses.application)
            pid = (Path(directory) / "data" / "postgres" / "postmaster.pid").read_text().split()[0]
            os.environ[DATABASE_PID] = pid
            with psycopg.connect(bare_url(addresses), autocommit=True) as connection:
                yield addresses, connection
        finally:
            server.stop()


def bare_url(addresses: Addresses) -> str:
    """The superuser's connection string for libpq."""
    return addresses.owner.replace("+psycopg", "")


def load_codes(connection: psycopg.Connection, *, organizations: int, codes: int) -> list[Shop]:
    """Add organizations with a key and `codes` promo codes each, named `CODE1` and so on."""
    shops = []
    for number in range(organizations):
        shops.append(add_shop(connection, f"Organization {number}"))
        parameters = {"organization": shops[-1].organization_id, "codes": codes, "listed": False}
        connection.execute(PROMO_CODES, parameters)
    connection.execute("vacuum analyze")
    return shops


def add_keys(connection: psycopg.Connection, shops: Sequence[Shop], *, count: int) -> list[str]:
    """Add this number of keys to the organizations in turn; returns their texts."""
    now, texts = datetime.now(UTC), []
    columns = "organization_id, id, name, key_digest, function_points, created_at, version"
    with connection.cursor() as cursor, cursor.copy(f"copy api_keys ({columns}) from stdin") as copy:
        for _, shop in zip(range(count), itertools.cycle(shops), strict=False):
            id_ = new_id()
            texts.append(credentials.new_key_text(CredentialName(shop.organization_id, id_)))
            digest = credentials.digest_of(texts[-1])
            copy.write_row((shop.organization_id, id_, f"Caller {id_}", digest, ["StorefrontRedeem"], now, 1))
    connection.execute("vacuum analyze api_keys")
    return texts


def load_listed_codes(connection: psycopg.Connection, shop: Shop, *, codes: int) -> None:
    """Add promo codes with two exams and five addresses each."""
    parameters = {"organization": shop.organization_id, "codes": codes, "listed": True}
    for statement in (PROMO_CODES, PROMO_CODE_EXAMS, EMAIL_ADDRESSES):
        connection.execute(statement, parameters)
    connection.execute("vacuum analyze promo_codes, promo_code_store_exams, promo_code_email_addresses")


def add_shop(connection: psycopg.Connection, name: str, *, application_url: str | None = None) -> Shop:
    """Add an organization with a key and, unless `application_url` is None, a user with a token."""
    organization_id, key_id, exam_id, now = new_id(), new_id(), new_id(), datetime.now(UTC)
    key = credentials.new_key_text(CredentialName(organization_id, key_id))
    connection.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, %s, true, %s, 1)",
        [organization_id, name, now],
    )
    connection.execute(
        "insert into api_keys (organization_id, id, name, key_digest, function_points, created_at, version)"
        " values (%s, %s, 'Benchmark', %s, '{StorefrontRedeem}', %s, 1)",
        [organization_id, key_id, credentials.digest_of(key), now],
    )
    connection.execute(EXAMS, {"organization": organization_id, "exam": exam_id, "other_exam": new_id()})
    token = asyncio.run(issue_token(application_url, organization_id)) if application_url else ""
    return Shop(organization_id, key_id, key, exam_id, token)


async def issue_token(application_url: str, organization_id: UUID) -> str:
    """A Bearer token for a new user of the organization."""
    database, now = Database(application_url, pool_size=1), datetime.now(UTC)
    async with database.unit_of_work(organization_id) as work:
        points = [FunctionPoint.PARTNER_MANAGE_VOUCHERS, FunctionPoint.PARTNER_MANAGE_PROMO_CODES]
        await provisioning.create_user(work, email="a@example.com", names=("A", "B"), function_points=points, now=now)
        token = await provisioning.issue_token(
            work, signer=TokenSigner(TOKEN_KEYS), email="a@example.com", lifetime=timedelta(days=1), now=now
        )
    await database.close()
    return token.secret
