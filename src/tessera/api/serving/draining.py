"""The end of a serving process after SIGTERM: every request that was sent to it in time is served."""

import asyncio
import signal
import socket
from contextlib import suppress
from typing import Any

from tessera.api.serving.connections import ConnectionGuard
from tessera.kit.sockets import BACKLOG


class Drain:
    """The steps from SIGTERM to the end of one process.

    First, it closes each connection after its next response; if all processes of the address end, it is also not
    ready. After `seconds`, it accepts the connections that wait, closes its listeners, and lets uvicorn end it.
    """

    def __init__(self, guard: ConnectionGuard, *, seconds: float) -> None:
        self._guard = guard
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._end: Any = signal.getsignal(signal.SIGTERM)  # a method of the server

    def begin_on_sigterm(self, *, ends_address: bool) -> None:
        """Replace the handler of uvicorn; `ends_address` is false if other processes serve the same address."""

        def begin(*_: object) -> None:
            # systemd sends the signal to all processes at once, and then the parent sends it to its children again.
            if not self._guard.is_draining and not self._loop.is_closed():
                self._guard.is_draining = True
                self._guard.is_address_ending.value |= ends_address
                self._loop.call_soon_threadsafe(self._loop.call_later, self._seconds, self._finish)

        signal.signal(signal.SIGTERM, begin)

    def _finish(self) -> None:
        server = self._end.__self__
        try:
            for listening in getattr(server, "servers", ()):  # the server may not have started
                with suppress(OSError):  # none waits, or no descriptor is free
                    for transport in listening.sockets:
                        self._accept_waiting(server, transport.fileno())
                listening.close()
        finally:
            self._end(signal.SIGTERM, None)

    def _accept_waiting(self, server: Any, descriptor: int) -> None:  # noqa: ANN401 - uvicorn.Server or a subclass
        # A listener that is closed resets the connections in its queue, whose clients may have sent their requests.
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.settimeout(0)
            for _ in range(BACKLOG):  # no more can have waited; others may connect as fast as this accepts
                connection, _ = listener.accept()
                connection.settimeout(0)
                protocol = self._guard(server.config, server.server_state, server.lifespan.state, self._loop)
                server.server_state.tasks.add(task := self._loop.create_task(self._serve(protocol, connection)))
                task.add_done_callback(server.server_state.tasks.discard)

    async def _serve(self, protocol: asyncio.Protocol, connection: socket.socket) -> None:
        await self._loop.connect_accepted_socket(lambda: protocol, connection)
