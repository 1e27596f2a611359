"""Steps 1 and 8 of the pipeline: trusted proxies, the request id, the log line, and unhandled exceptions."""

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.api.error_rendering.renderers import ErrorRenderers, unexpected
from tessera.api.serving.limits import CLIENT_GONE
from tessera.kit.errors import DomainError
from tessera.kit.identifiers import new_id

CLIENT_CLOSED_REQUEST = 499  # only in the log; nginx uses the same status
LONGEST_LOGGED_PATH = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

log = structlog.get_logger("tessera.request")


class RequestLog:
    """Gives each request an id, renders unhandled exceptions, and logs one line that contains no secret."""

    def __init__(self, app: ASGIApp, *, error_renderers: ErrorRenderers) -> None:
        self.app = app
        self._error_renderers = error_renderers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            # White space around a value is not part of it (RFC 9110, section 5.5), but some parsers leave it there.
            scope.setdefault("state", {})
            scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
            await self._serve(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        request_id = _request_id(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_cache_control([*message["headers"], (b"x-request-id", request_id.encode())])
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_id)
        except (ClientDisconnect, asyncio.CancelledError) as error:
            if not _is_client_gone(scope, error):
                raise
            status = status or CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001 - logged, and rendered as 500
            response = self._render(scope["path"], error)
            if not status:
                await response(scope, receive, send_with_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
            _log_request(scope, status=status, start=start, request_id=request_id)

    def _render(self, path: str, error: Exception) -> Response:
        return self._error_renderers.render(path, error if isinstance(error, DomainError) else unexpected(error))


class HeadRequests:
    """Executes HEAD requests as GET and drops the body of the response (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A copy, because the server looks at the method when it receives the response.
        request = {**scope, "method": "GET"}
        try:
            await self.app(request, receive, send_without_body)
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
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

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


def _with_cache_control(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # Most responses contain personal data or secrets; those that may be stored say so themselves.
    if any(name == b"cache-control" for name, _ in headers):
        return headers
    return [*headers, (b"cache-control", b"no-store")]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id: str = value.decode("latin-1")
            return request_id if _REQUEST_ID.fullmatch(request_id) else new_id().hex
    return new_id().hex


def _is_client_gone(scope: Scope, error: BaseException) -> bool:
    return isinstance(error, ClientDisconnect) or CLIENT_GONE in scope["state"]


def _log_request(scope: Scope, *, status: int, start: float, request_id: str) -> None:
    if not log.is_enabled_for(logging.INFO):
        return
    organization_id = scope.get("state", {}).get("organization_id")
    route = getattr(scope.get("route"), "path", None)
    # Quoted, because a terminal would execute control characters.
    path = {} if route else {"path": quote(scope["path"])[:LONGEST_LOGGED_PATH]}
    log.info(
        "request",
        method=scope["method"],
        route=route,
        status=status,
        ms=round((time.perf_counter() - start) * 1000, 1),
        organization=None if organization_id is None else str(organization_id),
        request_id=request_id,
        **path,
    )
