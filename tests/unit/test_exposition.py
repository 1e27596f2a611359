"""The server of `/metrics` against clients that are slow, or too many."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from tests.support.descriptors import no_free_descriptor
from tests.support.waiting import wait_until

from tessera.kit.metrics import exposition
from tessera.kit.metrics.collectors import ProcessCollector


@contextmanager
def metrics(stack: ExitStack) -> Iterator[int]:
    with exposition.exposing("127.0.0.1", 0, ProcessCollector(None)) as port:
        yield port
        stack.close()

        def answers() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
            except httpx.HTTPError:  # the places become free just after the connections are closed
                return False

        wait_until("there is a place again", answers)


def connect(stack: ExitStack, port: int, start: bytes) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
    client.sendall(start)
    return client


def test_an_accept_that_cannot_be_parsed_counts_as_none(capfd: pytest.CaptureFixture[str]) -> None:
    accept = {"Accept": "application/openmetrics-text; version=x"}
    with ExitStack() as stack, metrics(stack) as port:
        response = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=accept)
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert capfd.readouterr() == ("", "")


def test_clients_beyond_the_places_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SECONDS", 600)
    with ExitStack() as stack, metrics(stack) as port:
        for _ in range(exposition.MAX_CONNECTIONS):
            connect(stack, port, b"GET /met")
        assert connect(stack, port, b"").recv(1) == b""


def test_a_connection_waits_for_a_free_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack, metrics(stack) as port, socket.socket() as client, ExitStack() as shortage:
        monkeypatch.setattr(exposition, "sleep", lambda _: shortage.close())
        client.settimeout(30)
        shortage.enter_context(no_free_descriptor(client.fileno()))
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert client.recv(1) == b"H"


def test_slow_clients_are_cut_and_not_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exposition, "SECONDS", 0.1)
    with ExitStack() as stack, metrics(stack) as port:
        assert connect(stack, port, b"GET /met").recv(1) == b""
        monkeypatch.undo()  # a busy machine takes longer to write a response
    assert capfd.readouterr() == ("", "")
