"""The uvicorn server: one process or several, until SIGINT or SIGTERM."""

import asyncio
import gc
import math
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from tessera.api.serving.accepting import Acceptor, serve_abandoned
from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.connections import ConnectionGuard
from tessera.api.serving.draining import Drain
from tessera.kit.sockets import BACKLOG, ProcessListener, SharedAddress

log = structlog.get_logger(__name__)

Listener = socket.socket
RELEASE_SECONDS = 0.1
DEFAULT_LIMITS = ConnectionLimits()

# ForwardedHeaders decides which proxies are trusted, and RequestLog logs requests.
UVICORN_OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "timeout_graceful_shutdown": 10,
    "timeout_worker_healthcheck": 120,  # a process that starts on a busy machine responds after 30 seconds and more
    "lifespan": "on",
}


def configuration(
    app: FastAPI | str,
    limits: ConnectionLimits,
    *,
    drain_seconds: float = 0,
    listener: Listener | None = None,
    **options: Any,  # noqa: ANN401
) -> uvicorn.Config:
    """The configuration of uvicorn for an application, or for the name of its factory."""
    guard: Any = ConnectionGuard(limits)  # uvicorn calls it as it calls a class
    return _Configuration(
        app,
        http=guard,
        drain_seconds=drain_seconds,
        listener=listener,
        timeout_keep_alive=math.ceil(limits.keep_alive_seconds),
        **UVICORN_OPTIONS,
        **options,
    )


def serve(
    app: FastAPI,
    listener: Listener,
    *,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    drain_seconds: float = 0,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish running requests.

    After SIGTERM, the process is not ready and closes connections for `drain_seconds`, but still serves requests.
    """
    _Server(configuration(app, limits, drain_seconds=drain_seconds), on_ready).run(sockets=[listener])


def serve_processes(
    factory: str, listener: Listener, *, processes: int, limits: ConnectionLimits, drain_seconds: float
) -> None:
    """Serve in several processes, each of which calls the factory `module:function`.

    A process that ends is replaced. SIGHUP replaces all processes, one by one; the others stay ready meanwhile.
    """
    options = configuration(
        factory, limits, drain_seconds=drain_seconds, listener=listener, factory=True, workers=processes
    )
    _Supervisor(options, sockets=[listener]).run()


class _Configuration(uvicorn.Config):
    """A configuration whose server drains its connections before it ends, and that ends with its parent process."""

    def __init__(
        self,
        app: FastAPI | str,
        *,
        drain_seconds: float,
        listener: Listener | None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(app, **options)
        self._drain_seconds = drain_seconds
        self._listener = listener

    def load(self) -> None:
        """Load the application; the server calls this after it has installed its signal handlers."""
        guard: Any = self.http
        server: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        acceptor = Acceptor(guard, server)
        if self._drain_seconds:  # before the application is loaded, so that an early signal does the same as a late one
            drain = Drain(guard, acceptor, self._listener, seconds=self._drain_seconds)
            drain.begin_on_sigterm(ends_address=self.workers == 1)
        if isinstance(self._listener, ProcessListener):
            self._task = asyncio.get_running_loop().create_task(serve_abandoned(self._listener, acceptor))
        gc.disable()  # collections would take a fifth of the time of the imports
        super().load()
        gc.freeze()
        gc.enable()
        if parent := multiprocessing.parent_process():
            asyncio.get_running_loop().add_reader(parent.sentinel, _end_with_parent, parent.sentinel)


def _end_with_parent(sentinel: int) -> None:
    # Otherwise, the children of a parent that was killed would serve old code on its port.
    asyncio.get_running_loop().remove_reader(sentinel)
    log.error("the parent process has ended, and this process ends, too")
    signal.raise_signal(signal.SIGTERM)


class _Supervisor(Multiprocess):
    """The parent of several processes, which logs those that died, and tells the others when their address ends."""

    def run(self) -> None:
        """Run the processes until SIGINT or SIGTERM."""
        # While it waits for the response of one process, which may be starting, the supervisor does not see others die.
        threading.Thread(target=self._release_listeners, daemon=True).start()
        super().run()

    def _release_listeners(self) -> None:
        while not self.should_exit.wait(RELEASE_SECONDS):
            for listener in self.sockets:
                if isinstance(listener, SharedAddress):
                    listener.release_ended()

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that have ended or do not respond."""
        before = list(self.processes)
        for process in before:
            # As long as this process has the other end, too, it waits in vain for the response of a process that died.
            process.child_conn.close()
        super().keep_subprocess_alive()
        for process in before:
            if process not in self.processes:
                log.error("a process died and is replaced", pid=process.pid, exit_code=process.exitcode)

    def terminate_all(self) -> None:
        """Send SIGTERM to the processes."""
        guard: Any = self.config.http
        guard.is_address_ending.value = True
        super().terminate_all()
        # From now on, a process that closes its listener refuses new connections, which would wait here in vain.
        for listener in self.sockets:
            listener.close()


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
        for listener in sockets or ():
            listener.listen(BACKLOG)  # raises OSError at an address that is in use by now; uvloop would not
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._on_ready()
