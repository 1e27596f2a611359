"""Sockets of servers: one for a single process, or one for each of several processes at the same address.

An address is bound first, so that one in use is an error at once, but it listens only when a process can serve. Until
then, connections are refused, and a balancer tries another server. A start that fails would reset those that wait.
"""

import os
import socket
from collections.abc import Sequence
from ctypes import c_int
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import Any

BACKLOG = 2048
# What the kernel keeps for each client that does not read; it doubles this for its own accounts. By itself, Linux would
# let it grow to 4 MiB, which are 16 GiB for all connections of a process, and `unread` counts none of it.
SEND_BUFFER = 128 * 1024


class SharedAddress(socket.socket):
    """A bound address for several processes: each process that is passed this socket receives a ProcessListener.

    With one listener for all, the process that wakes first accepts every waiting connection, and the others stay idle.
    The kernel distributes connections over separate listeners. This process keeps them open, so that the connections
    that a process has not accepted at its end are not lost: the other processes accept them, or its successor.
    """

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._listeners: list[socket.socket] = []
        # The numbers of the listeners in the order of their use, and the process that received each of them.
        self._order: list[int] = []
        self._processes: dict[int, Any] = {}
        self._servers: Any = None

    def open_listeners(self, count: int) -> None:
        """Open a listener for each of this number of processes."""
        # This socket never listens, because its own process accepts no connections. The options are changed after bind:
        # with SO_REUSEPORT, it would succeed at an address in use, and with SO_REUSEADDR, that of another server would
        # succeed here until a process listens.
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._listeners = [self._open_listener() for _ in range(count)]
        self._order = list(range(count))
        # Shared with the processes: the pid of the process that serves each listener, or 0.
        self._servers = get_context("spawn").RawArray(c_int, count)

    def close(self) -> None:
        """Close the address and its listeners."""
        for listener in self._listeners:
            listener.close()
        super().close()

    def release_ended(self) -> None:
        """Let the other processes serve the listeners of processes that have ended."""
        for number, process in list(self._processes.items()):
            # A process that is being started has no sentinel yet. To poll is left to the thread that waits for the end.
            if hasattr(process, "sentinel") and wait([process.sentinel], 0) and self._servers[number] == process.pid:
                self._servers[number] = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # The listener of a process that has ended, or else the oldest: its process is being replaced, and shares it.
        self.release_ended()  # before this method forgets the process that is being replaced
        number = next(filter(self._has_no_process, self._order), self._order[0])
        self._order.remove(number)
        self._order.append(number)
        self._processes[number] = get_spawning_popen()
        descriptors = [DupFd(listener.fileno()) for listener in self._listeners]
        return ProcessListener, (self.family, descriptors, number, self._servers)

    def _has_no_process(self, number: int) -> bool:
        return number not in self._processes or self._processes[number].poll() is not None

    def _open_listener(self) -> socket.socket:
        listener = socket.socket(self.family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self.getsockname())
        return listener


class ProcessListener(socket.socket):
    """The listener of one of several processes, with those of the others at the address."""

    def __init__(self, family: int, descriptors: Sequence[Any], number: int, servers: Any) -> None:  # noqa: ANN401 - multiprocessing does not name them
        super().__init__(family, socket.SOCK_STREAM, fileno=descriptors[number].detach())
        self._number, self._servers = number, servers
        self._others = {
            other: socket.socket(family, socket.SOCK_STREAM, fileno=descriptor.detach())
            for other, descriptor in enumerate(descriptors)
            if other != number
        }

    def claim(self) -> None:
        """Say that this process serves its listener."""
        self._servers[self._number] = os.getpid()

    def abandoned(self) -> list[socket.socket]:
        """The listeners that no process serves, because theirs was killed, or has not started yet."""
        return [listener for number, listener in self._others.items() if not self._servers[number]]

    def end(self) -> None:
        """Leave all listeners to the other processes, unless a successor serves the own one already."""
        if self._servers[self._number] == os.getpid():
            self._servers[self._number] = 0
        for listener in self._others.values():
            listener.close()
        self._others = {}


def bind(host: str, port: int, *, processes: int = 1) -> socket.socket:
    """Bind a socket to this address for this number of processes; raises OSError if the address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM) if processes == 1 else SharedAddress(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        if isinstance(bound, SharedAddress):
            bound.open_listeners(processes)
    except OSError:
        bound.close()
        raise
    return bound
