"""Step 1 of the pipeline: addresses take turns, so that one with thousands of requests delays no other one."""

import asyncio
import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.kit.errors import DatabaseUnavailable, TooManyRequests
from tessera.kit.shares import FairSlots, SlotTimeouts

TURNS_AT_ONCE = 64
SECONDS_TO_WAIT = 10.0
MESSAGE = "Too many requests of your address are waiting. Try again shortly."


class AddressTurns:
    """Starts at most 64 requests in each pass of the event loop; addresses whose requests wait are served in turn.

    No share of an organization limits the work before the caller is known. A request keeps its turn only until it waits
    for something, such as the database, for the first time. Raises TooManyRequests after 10 s.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        timeouts = SlotTimeouts(own_share=SECONDS_TO_WAIT, all_slots=SECONDS_TO_WAIT)
        self._slots: FairSlots[str] = FairSlots(
            TURNS_AT_ONCE, per_key=TURNS_AT_ONCE, timeouts=timeouts, name="addresses", message=MESSAGE
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            await self._take_turn(_network(scope))
        await self.app(scope, receive, send)

    async def _take_turn(self, address: str) -> None:
        try:
            await self._slots.acquire(address)
        except DatabaseUnavailable as error:  # all turns are taken; they have nothing to do with the database
            raise TooManyRequests(MESSAGE, limit=self._slots.name) from error
        # In the next pass of the loop: then the request has ended or waits for something else.
        asyncio.get_running_loop().call_soon(self._slots.release, address)


def _network(scope: Scope) -> str:
    """The address of the client; for IPv6 its network of 64 bits, all of whose addresses belong to one owner."""
    client: tuple[str, int] | None = scope.get("client")
    if client is None or ":" not in client[0]:
        return client[0] if client else ""
    try:
        address = ipaddress.IPv6Address(client[0])
        network = ipaddress.IPv6Network((client[0], 64), strict=False)
    except ValueError:
        return client[0]
    # A socket that accepts both versions shows an IPv4 client as ::ffff:192.0.2.1.
    return str(address.ipv4_mapped or network)
