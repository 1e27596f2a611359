"""Which API's words an error is told in: that of the longest matching path prefix."""

from collections.abc import Callable, Mapping

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from tessera.api.http.errors import Malformed, MethodNotAllowed, Unexpected, UnknownPath
from tessera.kit.errors import DomainError

ErrorRenderer = Callable[[DomainError], Response]

log = structlog.get_logger(__name__)


class ErrorRenderers:
    """The dialect of each path prefix; the empty prefix has the one for all other paths."""

    def __init__(self, by_prefix: Mapping[str, ErrorRenderer]) -> None:
        self._longest_first = sorted(by_prefix.items(), key=lambda item: -len(item[0]))

    def render(self, path: str, error: DomainError) -> Response:
        """The answer for a fact, as clients of this path know it."""
        renderer = next(renderer for prefix, renderer in self._longest_first if _covers(prefix, path))
        return renderer(error)

    def install(self, app: FastAPI) -> None:
        """Answer every fact, and what the framework refuses by itself, in the right dialect."""

        async def answer(request: Request, error: Exception) -> Response:
            return self.render(request.scope["path"], _fact(request, error))

        app.add_exception_handler(DomainError, answer)
        app.add_exception_handler(HTTPException, answer)


def unexpected(error: Exception) -> DomainError:
    """The fact for an exception that nobody foresaw, which is logged here."""
    log.error("unexpected", exc_info=error)
    return Unexpected()


def _covers(prefix: str, path: str) -> bool:
    return not prefix or path == prefix or path.startswith(prefix + "/")


def _allowed_methods(request: Request) -> str:
    # Each method is a route of its own, and the framework names only the first one that it finds.
    routes = iter_route_contexts(request.app.routes)
    matching = [route for route in routes if route.path_regex.match(request.scope["path"])]
    # A path that is somebody's in full letters is not also an id's.
    matching = [route for route in matching if route.path == request.scope["path"]] or matching
    return ", ".join(sorted({method for route in matching for method in route.methods or ()}))


def _fact(request: Request, error: Exception) -> DomainError:
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
