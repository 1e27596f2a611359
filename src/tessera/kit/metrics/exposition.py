"""An HTTP server for Prometheus, on a port of its own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from time import sleep
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

# After this time a connection is closed, however slowly its client sends or reads. Prometheus waits as long.
SECONDS = 10
# Each has a thread and a file descriptor, which requests need as well. Prometheus uses one connection at a time.
MAX_CONNECTIONS = 20
PAUSE_SECONDS = 0.2


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        """The request for WSGI, without an `Accept` that the client library cannot parse."""
        environ = super().get_environ()
        try:
            choose_encoder(environ.get("HTTP_ACCEPT", ""))
        except TypeError:  # it compares a version such as `x` with numbers
            del environ["HTTP_ACCEPT"]
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the signature of its base
        """Log nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - the signature of its base
        super().__init__(*arguments)
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def get_request(self) -> Any:  # noqa: ANN401 - the signature of its base
        """Accept a connection."""
        try:
            return super().get_request()
        except OSError:
            # Without a free descriptor the connection still waits, and the next attempt would follow at once.
            sleep(PAUSE_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the signature of its base
        """Respond in a thread of its own, or close the connection if there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread, which would release the place
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Respond, within the time limit."""
        timer = threading.Timer(SECONDS, _cut, [request])
        timer.daemon = True
        try:
            timer.start()
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the signature of its base
        """Log nothing, because the client has closed its connection, or was too slow."""


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def exposing(host: str, port: int, *collectors: Collector) -> Iterator[int]:
    """Serve what the collectors collect at `/metrics` until the block ends; returns the port. Raises OSError."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    server = make_server(host, port, make_wsgi_app(registry), server_class=_Server, handler_class=_Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
