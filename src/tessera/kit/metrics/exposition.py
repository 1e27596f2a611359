"""An HTTP server for Prometheus, on a port of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

SECONDS = 10


class _Handler(WSGIRequestHandler):
    timeout = SECONDS  # of a client that sends or reads nothing

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the signature of its base
        """Log nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


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
