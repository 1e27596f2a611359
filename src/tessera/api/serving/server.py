"""The uvicorn server: one process or several, until SIGINT or SIGTERM."""

import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from tessera.api.serving.connections import ConnectionGuard, ConnectionLimits

Listener = socket.socket
DEFAULT_LIMITS = ConnectionLimits()

# ForwardedHeaders decides which proxies are trusted, and RequestLog logs requests.
UVICORN_OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "timeout_graceful_shutdown": 10,
    "lifespan": "on",
}


def configuration(app: FastAPI | str, limits: ConnectionLimits, **options: Any) -> uvicorn.Config:  # noqa: ANN401
    """The configuration of uvicorn for an application, or for the name of its factory."""
    guard: Any = ConnectionGuard(limits)  # uvicorn calls it as it calls a class
    return uvicorn.Config(
        app, http=guard, timeout_keep_alive=math.ceil(limits.keep_alive_seconds), **UVICORN_OPTIONS, **options
    )


def serve(
    app: FastAPI,
    listener: Listener,
    *,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish running requests."""
    _Server(configuration(app, limits), on_ready).run(sockets=[listener])


def serve_processes(factory: str, listener: Listener, *, processes: int, limits: ConnectionLimits) -> None:
    """Serve in several processes, each of which calls the factory `module:function`."""
    Multiprocess(configuration(factory, limits, factory=True, workers=processes), sockets=[listener]).run()


class _Server(uvicorn.Server):
    """A uvicorn server that calls `on_ready`, and that returns after a signal instead of raising it again."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again after its shutdown, which would leave the embedded Postgres running. The
        # handlers stay, so that a second Ctrl-C interrupts neither the worker nor the end of the embedded Postgres.
        # To end at once, an operator can use kill -9, from which the next start recovers.
        for number in HANDLED_SIGNALS:
            signal.signal(number, self._stop)
        yield

    def _stop(self, *_: object) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._on_ready()
