"""The addresses of servers before a process serves them."""

import errno
import socket

import pytest

from tessera.kit.sockets import bind


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bound_address_refuses_connections_until_a_process_listens(processes: int) -> None:
    with bind("127.0.0.1", 0, processes=processes) as bound, socket.socket() as client:
        assert client.connect_ex(bound.getsockname()) == errno.ECONNREFUSED


@pytest.mark.parametrize("processes", [1, 2])
def test_an_address_for_several_processes_is_in_use_before_they_listen(processes: int) -> None:
    with bind("127.0.0.1", 0, processes=2) as bound, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", bound.getsockname()[1], processes=processes)
