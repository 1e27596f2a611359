"""Step 1 of the pipeline: limits on the size and on the time of each request."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.api.http.errors import RequestTooLarge
from tessera.api.http.parsing import body_limit, is_transfer
from tessera.api.serving.resources import Resources
from tessera.kit.errors import DeadlineExceeded

# Keys of a request's state. The server sets the first three.
REFUSAL = "refusal"  # the DomainError to respond with after the server has stopped reading the head or the body
CLIENT_GONE = "client_gone"  # true if the server has cancelled the request because its connection was closed
DRAINING = "draining"  # true if all processes at the address end soon
DEADLINE = "deadline"
BODY_ACCOUNT = "body_account"  # the account that the body of an admitted request is charged to
# A body up to this size is not charged, so that a caller with many large bodies can still send small ones.
FREE_BODY_BYTES = 4096
LARGE_PART_BYTES = 64 * 1024


class Deadline:
    """The end of a request, which the time that its body takes to arrive postpones."""

    def __init__(self, timeout: asyncio.Timeout, *, seconds: float, transfer_seconds: float) -> None:
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._seconds = seconds
        self._transfer_seconds = transfer_seconds

    def extend(self) -> None:
        """Allow as much time as for an import or an export."""
        self._seconds = self._transfer_seconds
        self._timeout.reschedule(self._start + self._seconds)

    async def pause(self, receive: Receive) -> Message:
        """The next part of the body; the server limits the time until it arrives."""
        before = self._loop.time()
        self._timeout.reschedule(None)
        message = await receive()
        self._start += self._loop.time() - before
        self._timeout.reschedule(self._start + self._seconds)
        return message


class LargeResponses:
    """Lets large parts of responses take turns, so that the server reads other requests between two of them.

    Responses to requests that were executed together are ready together, and each megabyte takes some milliseconds to
    copy to its socket.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def take_turn(self) -> None:
        """Wait for the turn of one large part. It ends before the part is sent, which may wait for a slow client."""
        async with self._turn:
            await asyncio.sleep(0)


class RequestLimits:
    """Limits the size of the body and the time of a request.

    Raises DeadlineExceeded, and the error with which the server has refused the request. Reading the body raises
    RequestTooLarge, and TooManyRequests if its account has no room.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        if REFUSAL in state:
            raise state[REFUSAL]
        resources: Resources = scope["app"].state.resources
        transfer_seconds = resources.transfer_seconds
        seconds = transfer_seconds if is_transfer(scope["path"]) else resources.request_seconds
        try:
            async with asyncio.timeout(seconds) as timeout:
                deadline = Deadline(timeout, seconds=seconds, transfer_seconds=transfer_seconds)
                state[DEADLINE] = deadline
                await self.app(scope, _limited(scope["path"], receive, state), send)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise DeadlineExceeded from error


def _limited(path: str, receive: Receive, state: MutableMapping[str, Any]) -> Receive:
    size, limit, is_complete = 0, body_limit(path), False
    deadline: Deadline = state[DEADLINE]

    async def receive_limited() -> Message:
        nonlocal size, is_complete
        # After the body, the only message is that the client has gone, which does not postpone the deadline.
        message = await (receive() if is_complete else deadline.pause(receive))
        is_complete = not message.get("more_body", False)
        if REFUSAL in state:
            raise state[REFUSAL]
        size += len(message.get("body", b""))
        if size > limit:
            raise RequestTooLarge(limit)
        if BODY_ACCOUNT in state and size > FREE_BODY_BYTES:
            state[BODY_ACCOUNT].take(len(message.get("body", b"")))
        return message

    return receive_limited


def extend_deadline(scope: Scope) -> None:
    """Allow a request as much time as for an import or an export."""
    deadline = scope.get("state", {}).get(DEADLINE)
    if isinstance(deadline, Deadline):
        deadline.extend()
