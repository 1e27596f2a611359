"""Work ends when its client is gone, in the database too."""

import asyncio
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.support import citus
from tests.support.factories import Tenant
from tests.support.waiting import until_blocked

# Two seconds, counted in looks at the database. On a busy machine each look takes longer, as does the work of the
# server, which checks every second whether its client is gone.
LOOKS, SECONDS_BETWEEN_LOOKS = 40, 0.05


def blocked(superuser: psycopg.Connection) -> int:
    count = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    row = superuser.execute(citus.on_all_nodes(count).encode()).fetchone()
    return int(row[0]) if row else 0


def listing(tenant: Tenant) -> tuple[str, str, dict[str, str]]:
    return "GET", "/promo-codes", tenant.bearer


def validation(tenant: Tenant) -> tuple[str, str, dict[str, str]]:
    return "GET", "/api/v1/promo-codes?code=NONE", tenant.api_key


def managed_list(tenant: Tenant) -> tuple[str, str, dict[str, str]]:
    return "GET", "/management/v1/promo-codes", tenant.bearer


def export(tenant: Tenant) -> tuple[str, str, dict[str, str]]:
    return "GET", "/management/v1/exports/promo-codes", tenant.bearer


@pytest.mark.parametrize("request_of", [listing, validation, managed_list, export])
async def test_the_statement_of_a_client_that_is_gone_is_cancelled_within_two_seconds(
    live_url: str,
    tenant: Tenant,
    superuser: psycopg.Connection,
    request_of: Callable[[Tenant], tuple[str, str, dict[str, str]]],
) -> None:
    method, target, headers = request_of(tenant)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with superuser.transaction():
        superuser.execute("lock table promo_codes in access exclusive mode")
        with socket.create_connection((urlsplit(live_url).hostname, urlsplit(live_url).port or 0)) as connection:
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode())
            await until_blocked(superuser)
        # The lock is still held, so the statement ends only because the client is gone.
        for _ in range(LOOKS):
            if blocked(superuser) == 0:
                return
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        pytest.fail("the statement still ran two seconds after its client had gone")
