"""Connections that wait at a listener whose own process does not accept them."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from tessera.api.serving.connections import ConnectionGuard
from tessera.kit.sockets import BACKLOG, ProcessListener

SECONDS = 0.1


class Acceptor:
    """Accepts connections for a server of uvicorn, which has no such function for a listener of another process."""

    def __init__(self, guard: ConnectionGuard, server: Any) -> None:  # noqa: ANN401 - uvicorn.Server or a subclass
        self.server = server
        self._guard = guard
        self._loop = asyncio.get_running_loop()

    def accept_waiting(self, descriptor: int) -> None:
        """Accept all connections that wait now."""
        with (
            suppress(OSError),  # none waits, no descriptor is free, or the socket does not listen
            socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as listener,
        ):
            listener.settimeout(0)
            for _ in range(BACKLOG):  # no more can have waited; others may connect as fast as this accepts
                connection, _ = listener.accept()
                connection.settimeout(0)
                state = self.server.server_state
                protocol = self._guard(self.server.config, state, self.server.lifespan.state, self._loop)
                state.tasks.add(task := self._loop.create_task(self._serve(protocol, connection)))
                task.add_done_callback(state.tasks.discard)

    async def _serve(self, protocol: asyncio.Protocol, connection: socket.socket) -> None:
        await self._loop.connect_accepted_socket(lambda: protocol, connection)


async def serve_abandoned(listener: ProcessListener, acceptor: Acceptor) -> None:
    """Serve the connections of processes that were killed, until this process or their successors do not need it."""
    while not acceptor.server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(SECONDS)
    listener.claim()
    while True:
        for each in listener.abandoned():
            acceptor.accept_waiting(each.fileno())
        await asyncio.sleep(SECONDS)
