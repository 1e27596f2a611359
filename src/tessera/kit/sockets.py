"""Sockets to listen with: one for one process, or one for each of several at the same address."""

import socket
from typing import Any

BACKLOG = 2048


class SharedAddress(socket.socket):
    """An address at which several processes listen: each gets a socket of its own where it is handed this one.

    With one socket for all, the process that wakes first accepts every connection that waits, and the others have
    nothing to do. Among sockets of their own the kernel spreads them.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _listen_beside_others, (self.family, self.getsockname())


def listen(host: str, port: int, *, processes: int = 1) -> socket.socket:
    """A socket at this address for so many processes; raises OSError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM) if processes == 1 else SharedAddress(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if processes == 1:
            listener.listen(BACKLOG)
        else:
            # Now, and not before, so that an address of others is taken. It does not listen: nobody accepts here.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_beside_others(family: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    listener.listen(BACKLOG)
    return listener
