"""Behind a pooler that drops startup options, no connection serves as the login role, which nothing binds."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url
from tests.support.factories import Tenant

from tessera.kit.db.database import Database
from tessera.kit.errors import DatabaseUnavailable
from tessera.provision import Addresses

ENCRYPTION_REQUESTS = (80877103, 80877104)


def without_options(startup: bytes) -> bytes:
    """A startup message without its options, as a pooler with `ignore_startup_parameters = options` passes it on."""
    names_and_values = startup[8:-2].split(b"\0")
    parameters = dict(zip(names_and_values[::2], names_and_values[1::2], strict=True))
    parameters.pop(b"options", None)
    body = b"".join(name + b"\0" + value + b"\0" for name, value in parameters.items()) + b"\0"
    return struct.pack("!i", len(body) + 8) + startup[4:8] + body


async def read_startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!ii", head)
        if code not in ENCRYPTION_REQUESTS:
            return head + await reader.readexactly(length - 8)
        writer.write(b"N")


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def pooler(addresses: Addresses) -> AsyncIterator[str]:
    """The host and port of a proxy that drops the options of each connection."""
    owner = make_url(addresses.owner)
    host, port = str(owner.host or owner.query["host"]), owner.port or owner.query.get("port", 5432)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if host.startswith("/"):
            server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server = await asyncio.open_connection(host, int(str(port)))
        server[1].write(without_options(await read_startup(reader, writer)))
        await asyncio.gather(copy(reader, server[1]), copy(server[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"


async def count_exams(url: str, tenant: Tenant) -> int:
    database = Database(url)
    try:
        async with database.unit_of_work(tenant.id) as work:
            rows = await work.connection.exec_driver_sql("select count(*) from store_exams")
            return int(rows.scalar_one())
    finally:
        await database.close()


async def test_the_bound_role_serves_where_options_are_dropped_and_the_login_role_does_not(
    pooler: str, addresses: Addresses, tenant: Tenant, other_tenant: Tenant
) -> None:
    owner = make_url(addresses.owner).set(drivername="postgresql", query={})
    address = owner.set(host=pooler.split(":", maxsplit=1)[0], port=int(pooler.split(":")[1]))
    bound = address.set(username="tessera_app").render_as_string(hide_password=False)
    login = address.render_as_string(hide_password=False)
    assert await count_exams(bound, tenant) == 3
    with pytest.raises(DatabaseUnavailable):
        await count_exams(login, tenant)
