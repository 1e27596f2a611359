"""An address with several hosts, of which one does not answer."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url
from tests.conftest import app_on
from tests.support import citus

from tessera.api.serving.resources import Resources
from tessera.kit.db import database as kit_database
from tessera.kit.db import hosts
from tessera.kit.db.database import Database
from tessera.kit.db.engine import PromptConnection
from tessera.provision import Addresses


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port that accepts connections and says nothing, like a frozen server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


@citus.plain_postgres_only("the second host is the socket of one server")
async def test_a_host_that_does_not_answer_is_tried_last_from_then_on(
    addresses: Addresses, silent_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "CONNECT_SECONDS", 2)  # the shortest time of the client library
    address = make_url(addresses.application)
    options: dict[str, Any] = {
        "host": f"127.0.0.1,{address.query['host']}",
        "port": f"{silent_port},5432",
        "user": address.username,
        "dbname": address.database,
    }
    before = hosts.in_order("", options)
    async with await PromptConnection.connect(**options) as connection:
        found = connection.info.host
    assert found == address.query["host"]
    assert hosts.in_order("", options) == before[::-1]


@citus.plain_postgres_only("the second host is the socket of one server")
async def test_an_idle_process_becomes_ready_by_its_readiness_checks_alone(
    addresses: Addresses, resources: Resources, silent_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_database, "READINESS_SECONDS", hosts.SILENCE_SECONDS + 0.1)
    address = make_url(addresses.application)
    several = {"host": f"127.0.0.1,{address.query['host']}", "port": f"{silent_port},5432"}
    url = address.update_query_dict(several).render_as_string(hide_password=False)
    database = Database(url, pool_size=2)
    transport = httpx.ASGITransport(app_on(database, resources))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=60) as client:
        statuses = [(await client.get("/health/ready")).status_code for _ in range(4)]
    await database.close()
    assert (statuses[0], statuses[-1]) == (503, 200)


def test_of_hosts_that_are_all_silent_the_one_given_up_first_is_tried_next() -> None:
    hosts_of = "host=quiet-one,quiet-two"
    first, second = hosts.in_order(hosts_of, {})
    for host in (first, second):
        with pytest.raises(psycopg.errors.ConnectionTimeout), hosts.noting_silence(host):
            raise psycopg.errors.ConnectionTimeout
    with pytest.raises(psycopg.errors.ConnectionTimeout), hosts.noting_silence(first):
        raise psycopg.errors.ConnectionTimeout
    assert hosts.in_order(hosts_of, {}) == [second, first]
    with hosts.noting_silence(first):
        assert hosts.in_order(hosts_of, {}) == [second, first]
    assert hosts.in_order(hosts_of, {}) == [first, second]


@pytest.mark.parametrize("more", [{"load_balance_hosts": "random"}, {"hostaddr": "127.0.0.1,127.0.0.2"}])
def test_an_order_of_the_client_library_is_left_alone(more: dict[str, str]) -> None:
    assert hosts.in_order("host=one,two", more) == ()
    assert hosts.in_order("host=one", {}) == ()
    assert [tuple(host) for host in hosts.in_order("host=one,two port=5433", {})] == [("one", "5433"), ("two", "5433")]
