"""The addresses of servers before a process serves them."""

import errno
import socket

import pytest

from tessera.kit.sockets import SEND_BUFFER, SharedAddress, bind


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bound_address_refuses_connections_until_a_process_listens(processes: int) -> None:
    with bind("127.0.0.1", 0, processes=processes) as bound, socket.socket() as client:
        assert client.connect_ex(bound.getsockname()) == errno.ECONNREFUSED


@pytest.mark.parametrize("processes", [1, 2])
def test_an_address_for_several_processes_is_in_use_before_they_listen(processes: int) -> None:
    with bind("127.0.0.1", 0, processes=2) as bound, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", bound.getsockname()[1], processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_kernel_keeps_little_for_a_client_that_does_not_read(processes: int) -> None:
    with bind("127.0.0.1", 0, processes=processes) as bound, socket.socket() as client:
        listener = bound._listeners[0] if isinstance(bound, SharedAddress) else bound
        listener.listen()
        client.connect(bound.getsockname())
        server, _ = listener.accept()
        with server:
            server.settimeout(0.2)
            assert server.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER
            with pytest.raises(TimeoutError):
                server.sendall(bytes(2 * 2**20))
