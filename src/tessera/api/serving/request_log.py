"""Step 8 of the pipeline: the request id, the log line, and unhandled exceptions."""

import asyncio
import logging
import re
import time
from http import HTTPMethod, HTTPStatus
from typing import Any

import structlog
from fastapi.routing import iter_route_contexts
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.api.error_rendering.renderers import ErrorRenderers, unexpected
from tessera.api.http.parsing import header
from tessera.api.serving.limits import CLIENT_GONE, LARGE_PART_BYTES, LargeResponses
from tessera.api.serving.repeated_refusals import RepeatedRefusals
from tessera.kit import tracing
from tessera.kit.errors import DomainError
from tessera.kit.identifiers import new_id_text
from tessera.kit.logging import REQUEST_ID
from tessera.kit.metrics import measurements

CLIENT_CLOSED_REQUEST = 499  # only in the log; nginx uses the same status
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")  # a request without a response has the status 0
_KNOWN_METHODS = frozenset(HTTPMethod.__members__)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT"))  # of all operations
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,60}", re.ASCII)

log = structlog.get_logger("tessera.request")


class RequestLog:
    """Gives each request an id, renders unhandled exceptions, and logs requests without codes, e-mails and secrets."""

    def __init__(self, app: ASGIApp, *, error_renderers: ErrorRenderers) -> None:
        self.app = app
        self._error_renderers = error_renderers
        self._refusals = RepeatedRefusals(log)
        self._words: frozenset[str] | None = None
        self._large_responses = LargeResponses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            self._refusals.summarize()  # at the end of the lifespan
            return
        scope.setdefault("state", {})
        # White space around a value is not part of it (RFC 9110, section 5.5), but some parsers leave it there.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.perf_counter(), 0
        request_id = _request_id(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _begin_response(scope, message, request_id)
            if len(message.get("body", b"")) > LARGE_PART_BYTES:
                await self._large_responses.take_turn()
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, send_with_id)
        except (ClientDisconnect, asyncio.CancelledError) as error:
            _raise_unless_client_is_gone(scope, error)
            status = status or CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001 - logged, and rendered as 500
            response = self._error_renderers.render(scope, _domain_error(error))
            if not status:
                await response(scope, receive, send_with_id)
        finally:
            REQUEST_ID.reset(token)
            self._note(scope, status=status, seconds=time.perf_counter() - start, request_id=request_id)

    def _note(self, scope: Scope, *, status: int, seconds: float, request_id: str) -> None:
        _measure(scope, status=status, seconds=seconds)
        logger = log.bind()  # once, because each use of `log` binds it
        if logger.is_enabled_for(logging.INFO):
            event = self._event(scope, status=status, seconds=seconds, request_id=request_id)
            if status >= HTTPStatus.BAD_REQUEST:
                self._refusals.note(event)
            else:
                logger.info("request", **event)

    def _event(self, scope: Scope, *, status: int, seconds: float, request_id: str) -> dict[str, Any]:
        state, route, client = scope["state"], _path(scope), scope.get("client")
        organization_id = state.get("organization_id")
        event: dict[str, Any] = {
            "method": scope["method"] if scope["method"] in _KNOWN_METHODS else "OTHER",
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "organization": None if organization_id is None else str(organization_id),
            "credential": state.get("credential"),
            "address": client[0] if client and _ADDRESS.fullmatch(client[0]) else None,
            "request_id": request_id,
        }
        if route is None:
            event["path"] = self._known_part(scope)
        # A response that was interrupted has a cause, although its status may be 200.
        if status >= HTTPStatus.BAD_REQUEST or state.get("cause"):
            event |= {name: state.get(name) for name in ("reason", "cause")}
        return event

    def _known_part(self, scope: Scope) -> str:
        # A path that leads nowhere may contain anything, such as a code or a secret.
        if self._words is None:
            paths = [str(context.path) for context in iter_route_contexts(scope["app"].routes)]
            self._words = frozenset(word for path in paths for word in path.split("/") if "{" not in word)
        return "/".join(word if word in self._words else "*" for word in scope["path"].split("/", 8)[:8])


def _begin_response(scope: Scope, message: Message, request_id: str) -> None:
    _trace(scope, request_id)
    headers = [*message["headers"], (b"x-request-id", request_id.encode())]
    # Most responses contain personal data or secrets; those that may be stored say so themselves.
    if b"cache-control" not in dict(headers):
        headers.append((b"cache-control", b"no-store"))
    message["headers"] = headers


def _trace(scope: Scope, request_id: str) -> None:
    # FastAPI names the spans of the operations that it executes itself, and ends each span with the response.
    if tracing.is_traced():
        method, path = _operation(scope)
        organization_id = scope["state"].get("organization_id")
        organization = None if organization_id is None else str(organization_id)
        name = f"{method} {path}" if path else None
        tracing.describe_request(name, request_id=request_id, organization=organization)


def _operation(scope: Scope) -> tuple[str, str]:
    """The method and the path of the operation; empty texts for what is none."""
    # The caller may choose any method, also at the path of an operation, and any path that leads nowhere.
    path = _path(scope)
    return (scope["method"], path) if path and scope["method"] in _METHODS else ("", "")


def _path(scope: Scope) -> str | None:
    """The path of the operation as the document has it, without converters such as `:path`; None for what is none."""
    route = scope.get("route")
    return getattr(route, "path_format", getattr(route, "path", None))


def _measure(scope: Scope, *, status: int, seconds: float) -> None:
    measurements.REQUESTS.observe((*_operation(scope), _CLASSES[status // 100]), seconds)
    if status < HTTPStatus.BAD_REQUEST and (organization_id := scope["state"].get("organization_id")) is not None:
        measurements.recent_organizations.note(organization_id)


def _domain_error(error: Exception) -> DomainError:
    # The framework wraps the error of a stream whose response has already started.
    for each in (error, error.__cause__):
        if isinstance(each, DomainError):
            return each
    return unexpected(error)


def _raise_unless_client_is_gone(scope: Scope, error: BaseException) -> None:
    if not isinstance(error, ClientDisconnect) and CLIENT_GONE not in scope["state"]:
        raise error


def _request_id(scope: Scope) -> str:
    value = header(scope, b"x-request-id")
    if value is not None and _REQUEST_ID.fullmatch(value):
        return value.decode()
    return new_id_text()
