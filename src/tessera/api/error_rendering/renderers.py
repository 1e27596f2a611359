"""Error renderers by path: each API has its own format for errors."""

from collections.abc import Callable, Mapping

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import Scope

from tessera.api.http.errors import Malformed, MethodNotAllowed, Unexpected, UnknownPath
from tessera.kit.db.outage_log import OutageLog
from tessera.kit.errors import DatabaseUnavailable, DomainError, TooManyRequests
from tessera.kit.metrics.measurements import REFUSALS

ErrorRenderer = Callable[[DomainError], Response]

log = structlog.get_logger(__name__)


class ErrorRenderers:
    """The error renderer of each path prefix; the longest match applies, and the empty prefix matches every path."""

    def __init__(self, by_prefix: Mapping[str, ErrorRenderer]) -> None:
        self._outages = OutageLog()
        self._longest_first = sorted(by_prefix.items(), key=lambda item: -len(item[0]))

    def render(self, scope: Scope, error: DomainError) -> Response:
        """The response for the error of a request, in the format of the API at its path; the log names its reason."""
        if isinstance(error, DatabaseUnavailable):
            self._outages.note(error)
        if isinstance(error, TooManyRequests):
            REFUSALS.add(error.limit)
        renderer = next(renderer for prefix, renderer in self._longest_first if _covers(prefix, scope["path"]))
        response = renderer(error)
        scope["state"] |= {"reason": _reason(response, error), "cause": error.cause}
        return response

    def install(self, app: FastAPI) -> None:
        """Render domain errors and the framework's own errors in the format of the API."""

        async def render_error(request: Request, error: Exception) -> Response:
            return self.render(request.scope, _domain_error(request, error))

        app.add_exception_handler(DomainError, render_error)
        app.add_exception_handler(HTTPException, render_error)


def unexpected(error: Exception) -> DomainError:
    """The domain error for any other exception, which is logged here."""
    log.error("unexpected", exc_info=error)
    return Unexpected()


def _reason(response: Response, error: DomainError) -> str:
    """The code of the error in the format of the API, or its name where the format has none."""
    body = orjson.loads(bytes(response.body))
    code = body.get("errorCode") or body.get("type", "").rpartition(":")[2]
    return str(code or (body["error"] if "error_description" in body else type(error).__name__))


def _covers(prefix: str, path: str) -> bool:
    return not prefix or path == prefix or path.startswith(prefix + "/")


def _allowed_methods(request: Request) -> str:
    # Each method is a separate route, and the framework reports only the first match.
    routes = iter_route_contexts(request.app.routes)
    matching = [route for route in routes if route.path_regex.match(request.scope["path"])]
    # A literal path takes precedence over a path with a parameter.
    matching = [route for route in matching if route.path == request.scope["path"]] or matching
    methods = {method for route in matching for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _domain_error(request: Request, error: Exception) -> DomainError:
    match error:
        case DomainError():
            return error
        case HTTPException(status_code=404):
            return UnknownPath()
        case HTTPException(status_code=405):
            return MethodNotAllowed(_allowed_methods(request))
        case HTTPException(status_code=400):
            return Malformed("The request cannot be read.")
        case _:
            return unexpected(error)
