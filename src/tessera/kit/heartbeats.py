"""The heartbeats of a worker, which health checks on a port and the watchdog of systemd depend on."""

import asyncio
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

STALLED_AFTER_SECONDS = 15  # three missed heartbeats
SECONDS_TO_ASK = 5
MAX_HEAD_BYTES = 8192
# Clients that ask nothing must not take the descriptors that the worker needs for its database.
MAX_CONNECTIONS = 20


class Heartbeat:
    """The time of the last heartbeat that a worker has written to its database."""

    def __init__(self) -> None:
        self._last: float | None = None

    def beat(self) -> None:
        """Note a heartbeat, and notify systemd if it has started the process."""
        self._last = time.monotonic()
        if name := os.environ.get("NOTIFY_SOCKET"):
            # The next heartbeat replaces one that systemd has no room for, or for which no descriptor is free.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
                notifications.settimeout(0)
                notifications.sendto(b"READY=1\nWATCHDOG=1", re.sub("^@", "\0", name))

    @property
    def is_recent(self) -> bool:
        """Whether the event loop of the worker runs and reaches the database."""
        return self._last is not None and time.monotonic() - self._last < STALLED_AFTER_SECONDS


@asynccontextmanager
async def answering(heartbeat: Heartbeat, listener: socket.socket | None) -> AsyncIterator[None]:
    """Answer `/health/live` and `/health/ready` at this socket, if there is one, until the block ends."""
    if listener is None:
        yield
        return
    answer = partial(_answer, heartbeat, set())
    async with await asyncio.start_server(answer, sock=listener, limit=MAX_HEAD_BYTES):
        yield


async def _answer(
    heartbeat: Heartbeat,
    connections: set[asyncio.StreamWriter],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    # A client that is slow, sends too much, is gone, or is one too many gets no response.
    if len(connections) >= MAX_CONNECTIONS:
        writer.transport.abort()
        return
    connections.add(writer)
    try:
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(SECONDS_TO_ASK):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(heartbeat, head.split(b" ", 2)[1:2]))
                await writer.drain()
    finally:
        connections.discard(writer)
        writer.close()


def _response(heartbeat: Heartbeat, path: list[bytes]) -> bytes:
    match path:
        case [b"/health/live"]:
            line, state = "200 OK", "live"
        case [b"/health/ready"] if heartbeat.is_recent:
            line, state = "200 OK", "ready"
        case [b"/health/ready"]:
            line, state = "503 Service Unavailable", "not ready"
        case _:
            line, state = "404 Not Found", "unknown path"
    body = json.dumps({"status": state})
    fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"HTTP/1.1 {line}\r\n{fields}\r\n\r\n{body}".encode()
