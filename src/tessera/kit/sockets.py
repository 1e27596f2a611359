"""Listening sockets: one for a single process, or one for each of several processes at the same address."""

import socket
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import Any

BACKLOG = 2048


class SharedAddress(socket.socket):
    """A bound address for several processes: each process that is passed this socket receives one of its listeners.

    With one listener for all, the process that wakes first accepts every waiting connection, and the others stay idle.
    The kernel distributes connections over separate listeners. This process keeps them open, so that the connections
    that a process has not accepted at its end are not lost: its successor accepts them.
    """

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        # Each listener with the process that received it, in the order of their use.
        self._listeners: list[tuple[socket.socket, Any]] = []

    def open_listeners(self, count: int) -> None:
        """Open a listener for each of this number of processes."""
        # The option is set after bind, because with it bind would succeed on an address in use. This socket itself
        # never listens, because its own process accepts no connections.
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._listeners = [(self._open_listener(), None) for _ in range(count)]

    def close(self) -> None:
        """Close the address and its listeners."""
        for listener, _ in self._listeners:
            listener.close()
        super().close()

    def __reduce__(self) -> tuple[Any, ...]:
        # The listener of a process that has ended, or else the oldest: its process is being replaced, and shares it.
        listeners = self._listeners
        has_ended = [process is None or process.poll() is not None for _, process in listeners]
        listener, _ = listeners.pop(has_ended.index(True) if True in has_ended else 0)
        listeners.append((listener, get_spawning_popen()))
        return _receive, (self.family, DupFd(listener.fileno()))

    def _open_listener(self) -> socket.socket:
        listener = socket.socket(self.family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self.getsockname())
        listener.listen(BACKLOG)
        return listener


def listen(host: str, port: int, *, processes: int = 1) -> socket.socket:
    """Bind a socket to this address for this number of processes; raises OSError if the address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM) if processes == 1 else SharedAddress(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if isinstance(listener, SharedAddress):
            listener.open_listeners(processes)
        else:
            listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _receive(family: int, descriptor: Any) -> socket.socket:  # noqa: ANN401 - multiprocessing does not name its type
    return socket.socket(family, socket.SOCK_STREAM, fileno=descriptor.detach())
