"""Step 1 of the pipeline: trusted proxies, and HEAD requests."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.kit import ip_addresses


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
