"""Step 1 of the pipeline: addresses take turns, so that one with thousands of requests delays no other one."""

import asyncio
import ipaddress
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.kit.shares import FairSlots, SlotTimeouts

TURNS_AT_ONCE = 64
SECONDS_TO_WAIT = 10.0
MESSAGE = "Too many requests of your address are running. Try again shortly."
TURN = "turn"  # a key of a request's state


class AddressTurns:
    """Starts at most 64 requests in a turn of the event loop; addresses that wait are served in turn.

    A turn covers the work before the caller is known, which no share of an organization limits. It ends when the caller
    is known, when the request waits for its body, or when its response begins. Raises TooManyRequests after 10 s.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        timeouts = SlotTimeouts(own_share=SECONDS_TO_WAIT, all_slots=2 * SECONDS_TO_WAIT)
        self._slots: FairSlots[str] = FairSlots(
            TURNS_AT_ONCE, per_key=TURNS_AT_ONCE, timeouts=timeouts, name="addresses", message=MESSAGE
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = _network(scope)
        await self._slots.acquire(address)
        turn = _Turn(self._slots, address)
        scope["state"][TURN] = turn

        async def send_response(message: Message) -> None:
            turn.end()
            await send(message)

        try:
            await self.app(scope, receive, send_response)
        finally:
            turn.end()


class _Turn:
    __slots__ = ("_address", "_has_ended", "_slots")

    def __init__(self, slots: FairSlots[str], address: str) -> None:
        self._slots = slots
        self._address = address
        self._has_ended = False

    def end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            # Not at once: requests that wait for nothing would all run in the same turn of the event loop.
            asyncio.get_running_loop().call_soon(self._slots.release, self._address)


def end_turn(state: MutableMapping[str, Any]) -> None:
    """End the turn of the request with this state."""
    turn = state.get(TURN)
    if isinstance(turn, _Turn):
        turn.end()


def _network(scope: Scope) -> str:
    # Whoever has an IPv6 address has at least 2^64 of them.
    client: tuple[str, int] | None = scope.get("client")
    if client is None or ":" not in client[0]:
        return client[0] if client else ""
    try:
        return str(ipaddress.ip_network((client[0], 64), strict=False))
    except ValueError:
        return client[0]
