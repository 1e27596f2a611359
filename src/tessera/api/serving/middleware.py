"""The middleware around the framework, besides limits.py and request_log.py; `create_app` decides the order.

Trusted proxies, HEAD requests, turns of addresses, and the fast path of hot operations, from the outermost inwards.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.api.error_rendering.renderers import ErrorRenderers
from tessera.api.serving.operations import HotOperation
from tessera.kit import ip_addresses
from tessera.kit.errors import DatabaseUnavailable, DomainError, TooManyRequests
from tessera.kit.shares import FairSlots, SlotTimeouts

TURNS_AT_ONCE = 64
TURN_TIMEOUT_SECONDS = 10.0
TOO_MANY_WAITING = "Too many requests of your address are waiting. Try again shortly."


class ForwardedHeaders:
    """Takes scheme, host, prefix and client from `X-Forwarded-*` headers of trusted proxies."""

    def __init__(self, app: ASGIApp, *, trusted: Sequence[str]) -> None:
        self.app = app
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        client = scope.get("client") if scope["type"] == "http" else None
        if client and self._trusts(client[0]):
            self._apply(scope, Headers(scope=scope))
        await self.app(scope, receive, send)

    def _trusts(self, text: str) -> bool:
        address = ip_addresses.parse(text)
        return address is not None and any(address in network for network in self._trusted)

    def _apply(self, scope: Scope, headers: Headers) -> None:
        # Each proxy appends the address of its client. The addresses at the end that are trusted are those of proxies,
        # each of which has appended its own values; the client may have sent everything before them.
        addresses = _values(headers, "x-forwarded-for")
        hops = 1
        while hops < len(addresses) and self._trusts(addresses[-hops]):
            hops += 1
        _apply_forwarded(scope, headers, hops=hops)


class HeadRequests:
    """Executes HEAD requests as GET; the server drops the body of the response (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        # A copy, because the server looks at the method when it receives the response.
        request = {**scope, "method": "GET"}
        try:
            await self.app(request, receive, send)
        finally:
            scope["route"] = request.get("route")  # for the request log


class AddressTurns:
    """Starts at most 64 requests in each pass of the event loop; addresses whose requests wait are served in turn.

    No share of an organization limits the work before the caller is known. A request keeps its turn only until it waits
    for something, such as the database, for the first time. Raises TooManyRequests after 10 s.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        timeouts = SlotTimeouts(own_share=TURN_TIMEOUT_SECONDS, all_slots=TURN_TIMEOUT_SECONDS)
        self._slots: FairSlots[str] = FairSlots(
            TURNS_AT_ONCE, per_key=TURNS_AT_ONCE, timeouts=timeouts, name="addresses", message=TOO_MANY_WAITING
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
            raise TooManyRequests(TOO_MANY_WAITING, limit=self._slots.name) from error
        # In the next pass of the loop: then the request has ended or waits for something else.
        asyncio.get_running_loop().call_soon(self._slots.release, address)


class FastPath:
    """Runs requests of hot operations through the pipeline, and passes all others to the framework.

    The overhead of the framework exceeds the cost of these operations. The routers declare the same routes for the
    OpenAPI document, for 405 responses, and for alias paths.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        operations: Sequence[HotOperation],
        error_renderers: ErrorRenderers,
    ) -> None:
        self.app = app
        self._operations: dict[tuple[str, str], HotOperation] = {operation.route: operation for operation in operations}
        self._error_renderers = error_renderers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        operation = self._operations.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if operation is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = operation.route  # the request log shows its path
        try:
            response = await scope["app"].state.resources.pipeline.run(Request(scope, receive), operation)
        except DomainError as error:
            response = self._error_renderers.render(scope, error)
        await response(scope, receive, send)


def _apply_forwarded(scope: Scope, headers: Headers, *, hops: int) -> None:
    scheme = _value(headers, "x-forwarded-proto", hops=hops).lower()
    if scheme in ("http", "https"):
        scope["scheme"] = scheme
    host = _value(headers, "x-forwarded-host", hops=hops)
    port = _value(headers, "x-forwarded-port", hops=hops)
    if host:
        if port.isdecimal() and ":" not in host and port != {"http": "80", "https": "443"}.get(scope["scheme"]):
            host = f"{host}:{port}"
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["has_forwarded_host"] = True
        scope["headers"] = [(b"host", host.encode("latin-1")), *others]
    prefix = _value(headers, "x-forwarded-prefix", hops=hops).rstrip("/")
    if prefix.startswith("/") and urlsplit(prefix).path == prefix:
        scope["forwarded_prefix"] = prefix
    client = _value(headers, "x-forwarded-for", hops=hops)
    if client:
        scope["client"] = (client, 0)


def _value(headers: Headers, name: str, *, hops: int) -> str:
    """The value that the outermost trusted proxy has set; a proxy that passes a header on adds nothing to it."""
    values = _values(headers, name)
    return values[-min(hops, len(values))] if values else ""


def _values(headers: Headers, name: str) -> list[str]:
    return [value.strip() for line in headers.getlist(name) for value in line.split(",") if value.strip()]


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
