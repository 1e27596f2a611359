"""The real application behind a real socket, for tools that bring their own HTTP client."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from fastapi import FastAPI

from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.server import DEFAULT_LIMITS, configuration


@contextmanager
def serving(app: FastAPI, limits: ConnectionLimits = DEFAULT_LIMITS) -> Iterator[str]:
    """The address of `app`, served on a free loopback port by a thread with its own event loop, as the product's.

    The loop of asyncio would leave Nagle's algorithm on, which delays each response on a kept connection by 40 ms.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(configuration(app, limits))
        thread = threading.Thread(target=uvloop.run, args=(server.serve([listener]),))
        thread.start()
        try:
            # Connections made before the start of the server wait in the listener's queue.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive(), "the server did not end within 60 s"
            # The end of a server waits for what it believes to run.
            assert not server.server_state.tasks
