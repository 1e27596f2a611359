"""Limits on connections: the size and the time of a head, the pace of a body, slow readers, and idle connections.

httptools has no limit for the size of a head, and uvicorn none for the time that a request takes to arrive.
"""

import asyncio
import heapq
import multiprocessing
from ctypes import c_bool
from typing import Any

from starlette.responses import Response
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from tessera.api.error_rendering import problem_details
from tessera.api.http.errors import BodyTooSlow, HeadTooLarge, HeadTooSlow, Malformed, TooManyConnections
from tessera.api.serving import heads
from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.limits import CLIENT_GONE, DRAINING, REFUSAL
from tessera.api.serving.lingering import LINGER_SECONDS, MAX_DISCARDED_BYTES, LingeringTransport
from tessera.api.serving.unread import CountedConnection, UnreadResponses
from tessera.kit.errors import DomainError

# Real clients send no requests ahead of their responses, and repeat those without an answer. The requests of a
# new connection are served before the next one is accepted.
MAX_PIPELINED = 2
# The part of the idle connections that is closed when there are too many. Closing several saves searches of all.
EVICTED_PART = 0.05
# How long a process that ends waits for requests that were sent before their senders saw its end.
LAST_REQUEST_SECONDS = 0.5


class ConnectionGuard:
    """Creates the protocol of each connection of one process, and checks all connections at short intervals.

    One timer for all connections costs a request nothing. `now` counts the checks in seconds, so a delay of the event
    loop does not count against the clients.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.unread = UnreadResponses(limits.unread_bytes, per_organization=limits.unread_bytes_of_one)
        self.now = 0.0
        self.is_draining = False  # each connection is closed after its next response
        # Shared with the other processes of the address: whether all of them end, so that none is ready.
        self.is_address_ending = multiprocessing.get_context("spawn").RawValue(c_bool)
        self._connections: set[GuardedConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        times = (limits.head_seconds, limits.body_window_seconds, limits.write_seconds, limits.keep_alive_seconds)
        self._interval = min(1.0, *(each / 5 for each in times))

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "GuardedConnection":
        """The protocol of a new connection, as uvicorn creates it."""
        return GuardedConnection(self, config, server_state, app_state, _loop)

    def add(self, connection: "GuardedConnection") -> None:
        """Guard a new connection; if there are too many, close idle ones, or else refuse it."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(self._interval, self._check, connection.loop)
        if len(self._connections) > self.limits.max_connections:
            self._make_room(connection)

    def remove(self, connection: "GuardedConnection") -> None:
        """Forget a closed connection."""
        self._connections.discard(connection)

    def _make_room(self, newest: "GuardedConnection") -> None:
        idle = [each for each in self._connections if each.is_idle and each is not newest]
        if not idle:
            newest.refuse(TooManyConnections())
            return
        # Connections that never sent a whole request go first, then those that have been idle for longest.
        count = max(1, int(len(idle) * EVICTED_PART))
        for each in heapq.nsmallest(count, idle, key=lambda each: (each.requests > 0, each.idle_since)):
            each.transport.abort()

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now += self._interval
        for connection in list(self._connections):
            connection.check(self.now)
        self._timer = loop.call_later(self._interval, self._check, loop) if self._connections else None


class GuardedConnection(CountedConnection):
    """An HTTP connection with limits; it cancels the handler of a request when its client is gone."""

    def __init__(
        self,
        guard: ConnectionGuard,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self.requests, self.idle_since = 0, guard.now
        self._guard, self._limits, self.unread = guard, guard.limits, guard.unread
        self._is_refused = False
        self._chunk_size, self._has_parsed = 0, False
        self._start = b""  # of the request whose head arrives, if it began with a chunk
        self._unparsed = self._head_size_at_most = 0  # bytes
        self._head_since: float | None = None
        self._window_since: float | None = None  # of the body that arrives
        self._window_bytes = self._discarded_bytes = 0
        self._stalled_since: float | None = None
        self._closing_since: float | None = None
        self._handler: asyncio.Task[None] | None = None
        self._handled: RequestResponseCycle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(LingeringTransport(transport, self._is_receiving))  # type: ignore[arg-type]
        self._guard.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._guard.remove(self)
        if self._handled and self._handler and not self._handled.response_complete:
            self._handled.scope["state"][CLIENT_GONE] = True
            self._handler.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            self._discard(len(data))
            return
        self._chunk_size, self._has_parsed = len(data), False
        self._start = b"" if self._unparsed else data[: heads.MAX_LINE]
        self._unparsed += len(data)
        self._head_size_at_most += len(data)
        super().data_received(data)
        # The parser keeps names and values of headers and trailers, until they are complete.
        if self._unparsed > self._limits.head_bytes and not self._is_refused:
            self.refuse(HeadTooLarge(self._limits.head_bytes))

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise heads.Unacceptable
        super().on_message_begin()
        self._head_since = self._guard.now
        if self._has_parsed:  # the chunk began with the end of the previous request
            self._unparsed, self._head_size_at_most, self._start = 0, self._chunk_size, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_since is not None:  # otherwise it is a trailer, which must not change the head
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        heads.check(self.url, self.headers, version=self.parser.get_http_version())
        self.requests += 1
        size, limit = self._head_size_at_most, self._limits.head_bytes
        if error := heads.refusal(self.url, self.headers, size_at_most=size, limit=limit):
            self.scope["state"][REFUSAL] = error
            self._is_refused = True
        if self._guard.is_draining and self._guard.is_address_ending.value:
            self.scope["state"][DRAINING] = True
        super().on_headers_complete()
        # Until here the head may be refused, because its target is no URL.
        self._head_since, self._unparsed = None, 0
        self._window_since, self._window_bytes = self._guard.now, 0
        if self._is_refused or self._guard.is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        self._window_bytes += len(body)
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def _is_receiving(self) -> bool:
        return self._is_refused or self._head_since is not None or self._window_since is not None

    def _discard(self, size: int) -> None:
        self._discarded_bytes += size
        if self._discarded_bytes > MAX_DISCARDED_BYTES and self.is_idle:
            self.transport.close()

    def on_message_complete(self) -> None:
        self._window_since, self._unparsed, self._head_size_at_most = None, 0, 0
        self._has_parsed = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.idle_since = self._guard.now
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._handled = cycle
        self._handler = self.loop.create_task(cycle.run_asgi(app))
        self._handler.add_done_callback(self.tasks.discard)
        self.tasks.add(self._handler)

    def shutdown(self) -> None:
        """End the connection; while the process drains, its next request may be on its way."""
        if self._guard.is_draining and self.is_idle:
            self.loop.call_later(LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self.refuse(Malformed("The request is not valid HTTP/1.1."))

    def pause_writing(self) -> None:
        self._stalled_since = self._guard.now
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        super().resume_writing()

    def check(self, now: float) -> None:
        """Close the connection, or refuse its request, if it is over one of the limits."""
        limits = self._limits
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > limits.write_seconds:
                self.transport.abort()
            elif now - self._closing_since > LINGER_SECONDS:
                self.transport.close()
        elif self._stalled_since is not None and now - self._stalled_since > limits.write_seconds:
            self.transport.abort()
        elif self._head_since is not None and now - self._head_since > limits.head_seconds:
            self.refuse(HeadTooSlow(limits.head_seconds))
        elif self._window_since is not None:
            self._check_body(now, self._window_since)
        elif self.is_idle and now - self.idle_since > (
            limits.keep_alive_seconds if self.requests else limits.head_seconds
        ):
            self.transport.close()

    def _check_body(self, now: float, since: float) -> None:
        seconds = now - since
        if self.flow.read_paused or self.cycle.waiting_for_100_continue or self._handled is not self.cycle:
            self._window_since, self._window_bytes = now, 0  # the client waits for the server
        elif seconds > self._limits.body_window_seconds:
            if self._window_bytes < self._limits.body_bytes_per_second * seconds:
                self.refuse(BodyTooSlow(self._limits.body_bytes_per_second))
            self._window_since, self._window_bytes = now, 0

    def refuse(self, error: DomainError) -> None:
        """Answer with this error, discard all further input, and close the connection."""
        is_in_head = self._head_since is not None
        self._is_refused, self._head_since = True, None
        if not self.is_idle:
            if self._window_since is not None:
                self.cycle.scope["state"][REFUSAL] = error
                self.cycle.message_event.set()
            self.cycle.keep_alive = False
        elif self._window_since is not None:  # the request whose body arrives was answered already
            self.transport.close()
        elif is_in_head and (line := heads.request_line(self._start, self.parser.get_method(), self.url)):
            self._answer_unfinished(line, error)
        else:
            self._answer_unknown(error)

    def _answer_unfinished(self, line: heads.RequestLine, error: DomainError) -> None:
        """Let the application answer in the format of the API at this path, even if the path is incomplete."""
        path = line.target.partition(b"?")[0].decode("ascii", "replace")
        self.scope["method"] = line.method.decode("ascii")
        self.scope["path"], self.scope["raw_path"], self.scope["query_string"] = path, path.encode(), b""
        if not line.has_unknown_method:  # otherwise the application refuses the method
            self.scope["state"][REFUSAL] = error
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def _answer_unknown(self, error: DomainError) -> None:
        response: Response = problem_details.render(error)
        headers = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
        head = STATUS_LINE[response.status_code] + headers + b"connection: close\r\n\r\n"
        self.transport.write(head + bytes(response.body))
        self.transport.close()
