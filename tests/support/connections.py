"""Keep-alive connections to several servers, few enough for the usual limit of 1,024 open files."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

MAX_OPEN = 800
# Hundreds of callers may wait for one server of a busy machine.
SECONDS_TO_ANSWER = 180


class Answer(NamedTuple):
    """A response, and the times of its request and of its arrival."""

    status: int
    body: bytes
    sent_at: float
    received_at: float

    def json(self) -> Any:
        return json.loads(self.body)


class Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the response."""
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class Connections:
    """The connections of all callers to all servers; a request without a response is sent to the next server."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self._idle: list[deque[Connection]] = [deque() for _ in ports]
        self._open = 0

    async def send(self, server: int, method: str, path: str, headers: dict[str, str], content: Any = None) -> Answer:
        """The response of this server or, if it is down, of another one; fails without a response within the limit."""
        data = b"" if content is None else json.dumps(content).encode()
        fields = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(data)), **headers}
        head = "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields.items())])
        sent_at, failure = time.time(), "no server responded"
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                while True:
                    try:
                        status, body = await self._exchange(server % len(self.ports), f"{head}\r\n".encode() + data)
                    except (ConnectionError, asyncio.IncompleteReadError) as error:
                        failure, server = repr(error), server + 1
                        continue
                    if status != 409 or b"is still running" not in body:
                        return Answer(status, body, sent_at, time.time())
                    failure = body.decode()
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise AssertionError(f"{method} {path} had no response for {SECONDS_TO_ANSWER} s: {failure}") from error

    async def _exchange(self, server: int, request: bytes) -> tuple[int, bytes]:
        connection = self._idle[server].pop() if self._idle[server] else await self._connect(server)
        try:
            response = await connection.exchange(request)
        except BaseException:
            await self._close(connection)
            raise
        self._idle[server].append(connection)
        return response

    async def _connect(self, server: int) -> Connection:
        idle_connections = next((idle for idle in self._idle if idle), None)
        if self._open >= MAX_OPEN and idle_connections:
            await self._close(idle_connections.popleft())
        self._open += 1
        try:
            return Connection(*await asyncio.open_connection("127.0.0.1", self.ports[server]))
        except BaseException:
            self._open -= 1
            raise

    async def _close(self, connection: Connection) -> None:
        self._open -= 1
        await connection.close()

    async def close(self) -> None:
        for idle in self._idle:
            while idle:
                await self._close(idle.pop())
