import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tessera.kit import heartbeats
from tessera.kit.heartbeats import Heartbeat, answering


@pytest.fixture
def heartbeat() -> Heartbeat:
    return Heartbeat()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for the name of a socket, unlike tmp_path."""
    with TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
async def url(heartbeat: Heartbeat) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with answering(heartbeat, listener):
            yield f"http://127.0.0.1:{port}"


async def ask(url: str) -> tuple[int, object]:
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
    return response.status_code, response.json()


async def test_a_worker_is_ready_after_a_recent_heartbeat(
    url: str, heartbeat: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ask(f"{url}/health/ready") == (503, {"status": "not ready"})
    heartbeat.beat()
    assert await ask(f"{url}/health/ready") == (200, {"status": "ready"})
    monkeypatch.setattr(heartbeats, "STALLED_AFTER_SECONDS", 0)
    assert await ask(f"{url}/health/ready") == (503, {"status": "not ready"})
    assert await ask(f"{url}/health/live") == (200, {"status": "live"})
    assert await ask(f"{url}/metrics") == (404, {"status": "unknown path"})


async def test_a_client_that_sends_no_request_or_too_much_gets_no_response(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "SECONDS_TO_ASK", 0.1)
    for request in (b"GET /health/live HTTP/1.1\r\n", b"GET /" + b"a" * 100_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(request)
        try:
            assert await reader.read() == b""
        except ConnectionResetError:  # the server has closed the connection before it has read everything
            continue
        finally:
            writer.close()


@pytest.mark.parametrize("is_abstract", [True, False])
def test_each_heartbeat_is_passed_on_to_systemd(
    heartbeat: Heartbeat, monkeypatch: pytest.MonkeyPatch, short_path: Path, *, is_abstract: bool
) -> None:
    name = f"@tessera-test-{os.getpid()}" if is_abstract else str(short_path / "user@1000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name[1:]}" if is_abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        heartbeat.beat()
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
        for _ in range(int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 2):
            heartbeat.beat()  # systemd reads nothing
    heartbeat.beat()  # nobody listens
    assert heartbeat.is_recent


async def test_clients_that_ask_nothing_take_few_descriptors(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MAX_CONNECTIONS", 1)
    port = int(url.rpartition(":")[2])
    _, silent = await asyncio.open_connection("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), heartbeats.SECONDS_TO_ASK - 1) == b""
    for each in (silent, writer):
        each.close()


def test_a_heartbeat_needs_no_descriptor(heartbeat: Heartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    used = [os.dup(0)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used[0] + 1, limits[1]))
    try:
        heartbeat.beat()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.close(used[0])
    assert heartbeat.is_recent
