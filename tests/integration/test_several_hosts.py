"""An address with several hosts, of which one does not answer."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import make_url

from tessera.kit.db import hosts
from tessera.kit.db.engine import PromptConnection
from tessera.provision import Addresses


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port that accepts connections and says nothing, like a frozen server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


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


@pytest.mark.parametrize("more", [{"load_balance_hosts": "random"}, {"hostaddr": "127.0.0.1,127.0.0.2"}])
def test_an_order_of_the_client_library_is_left_alone(more: dict[str, str]) -> None:
    assert hosts.in_order("host=one,two", more) == ()
    assert hosts.in_order("host=one", {}) == ()
    assert [tuple(host) for host in hosts.in_order("host=one,two port=5433", {})] == [("one", "5433"), ("two", "5433")]
