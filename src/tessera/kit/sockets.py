"""Listening sockets: one for a single process, or one for each of several processes at the same address."""

import socket
from typing import Any

BACKLOG = 2048


class SharedAddress(socket.socket):
    """A bound address for several processes: unpickling this socket creates a separate socket that listens there.

    With one shared socket, the process that wakes first accepts every waiting connection, and the others stay idle.
    The kernel distributes connections over separate sockets.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _listen_with_others, (self.family, self.getsockname())


def listen(host: str, port: int, *, processes: int = 1) -> socket.socket:
    """Bind a socket to this address for this number of processes; raises OSError if the address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM) if processes == 1 else SharedAddress(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if processes == 1:
            listener.listen(BACKLOG)
        else:
            # Only after bind, which would otherwise succeed on an address in use. This socket never listens: its own
            # process accepts no connections.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_with_others(family: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    listener.listen(BACKLOG)
    return listener
