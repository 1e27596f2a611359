"""What is asked most, answered ahead of the framework, whose own work on a request takes longer than the answer.

The routes of the same paths say the same, for the document, for other methods, and for whoever calls them otherwise.
"""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.api.error_rendering.renderers import ErrorRenderers
from tessera.kit.errors import DomainError

Endpoint = Callable[[Request], Awaitable[Response]]
Place = tuple[str, str]


class FastPath:
    """Answers the requests of these methods and paths by the endpoints of their routes; hands on everything else."""

    def __init__(self, app: ASGIApp, *, routes: Mapping[Place, APIRoute], error_renderers: ErrorRenderers) -> None:
        self.app = app
        self._routes = routes
        self._error_renderers = error_renderers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        endpoint: Endpoint = route.endpoint
        try:
            answer = await endpoint(Request(scope, receive))
        except DomainError as error:
            answer = self._error_renderers.render(scope["path"], error)
        await answer(scope, receive, send)


def routes_of(*routers: APIRouter, among: frozenset[Place]) -> dict[Place, APIRoute]:
    """Those routes of the routers that are named; their endpoints take the request alone."""
    return {
        place: route
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
        if (place := (method, route.path)) in among
    }
