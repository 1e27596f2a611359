"""The end of a serving process after SIGTERM: every request that was sent to it in time is served."""

import asyncio
import signal
import socket

from tessera.api.serving.accepting import Acceptor
from tessera.api.serving.connections import ConnectionGuard
from tessera.kit.sockets import ProcessListener


class Drain:
    """The steps from SIGTERM to the end of one process.

    First, it closes each connection after its next response; if all processes of the address end, it is also not
    ready. After `seconds`, it accepts the connections that wait, closes its listeners, and lets uvicorn end it.
    """

    def __init__(
        self, guard: ConnectionGuard, acceptor: Acceptor, listener: socket.socket | None, *, seconds: float
    ) -> None:
        self._guard = guard
        self._acceptor = acceptor
        self._shared = listener if isinstance(listener, ProcessListener) else None
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()

    def begin_on_sigterm(self, *, ends_address: bool) -> None:
        """Replace the handler of uvicorn; `ends_address` is false if other processes serve the same address."""

        def begin(*_: object) -> None:
            # systemd sends the signal to all processes at once, and then the parent sends it to its children again.
            if not self._guard.is_draining and not self._loop.is_closed():
                self._guard.is_draining = True
                self._guard.is_address_ending.value |= ends_address
                self._loop.call_soon_threadsafe(self._loop.call_later, self._seconds, self._finish)

        self._end = signal.signal(signal.SIGTERM, begin)

    def _finish(self) -> None:
        try:
            # A listener that is closed resets the connections in its queue, whose clients may have sent their requests.
            for listening in getattr(self._acceptor.server, "servers", ()):  # the server may not have started
                for transport in listening.sockets:
                    self._acceptor.accept_waiting(transport.fileno())
                listening.close()
            if self._shared:
                for abandoned in self._shared.abandoned():
                    self._acceptor.accept_waiting(abandoned.fileno())
                self._shared.end()
        finally:
            assert callable(self._end)  # noqa: S101 - for the type checker
            self._end(signal.SIGTERM, None)
