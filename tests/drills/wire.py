"""A TCP port in front of a Unix socket, as a network that swallows bytes, or that resets connections."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from tests.support.commands import free_port

SECONDS = 30


@dataclass(eq=False)
class _Connection:
    """Both ends of a forwarded connection; what a silent one receives is not delivered."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    is_silent: bool

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            if not self.is_silent:
                writer.write(data)
                await writer.drain()
        if not self.is_silent:
            writer.close()

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@dataclass
class Wire:
    """Forwards connections of a port to a socket; its methods may be called from other threads."""

    socket: Path
    port: int = field(default_factory=free_port)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _connections: set[_Connection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_silent: bool = False
    _server: asyncio.Server | None = None

    def url(self, url: str) -> str:
        """The URL with this port instead of the socket."""
        address = make_url(url).set(drivername="postgresql", host="127.0.0.1", port=self.port, query={})
        return address.render_as_string(hide_password=False)

    def swallow(self) -> None:
        """Deliver nothing more over the connections so far, ever, nor over new ones until `heal`."""
        self._is_silent = True
        for connection in self._connections.copy():
            connection.is_silent = True

    def cut(self) -> None:
        """Reset all connections, and refuse new ones until `heal`."""
        self._run(self._cut())

    def heal(self) -> None:
        """Deliver the bytes of new connections."""
        self._is_silent = False
        self._run(self._listen())

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, start_serving=False)
            await self._server.start_serving()

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.abort()

    async def end(self) -> None:
        """Reset all connections, and wait until they have ended."""
        await self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = self._server
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            there_reader, there_writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection((writer, there_writer), is_silent=self._is_silent)
        if server is None or self._server is not server:  # it was cut meanwhile
            connection.abort()
            return
        self._connections.add(connection)
        pumps = connection.pump(reader, there_writer), connection.pump(there_reader, writer)
        with suppress(OSError):
            await asyncio.gather(*pumps)
        connection.abort()
        self._connections.remove(connection)


@contextmanager
def wired(socket: Path) -> Iterator[Wire]:
    """A port in front of this socket until the block ends."""
    wire = Wire(socket)
    thread = threading.Thread(target=wire._loop.run_forever, daemon=True)
    thread.start()
    try:
        wire.heal()
        yield wire
    finally:
        try:
            wire._run(wire.end())
        finally:
            wire._loop.call_soon_threadsafe(wire._loop.stop)
            thread.join(SECONDS)
            wire._loop.close()
