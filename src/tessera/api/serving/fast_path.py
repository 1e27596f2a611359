"""The fast path: executes hot operations ahead of the framework, whose overhead exceeds their own cost.

The routers declare the same routes for the OpenAPI document, for 405 responses, and for alias paths.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.api.error_rendering.renderers import ErrorRenderers
from tessera.api.serving.operations import HotOperation
from tessera.kit.errors import DomainError


class FastPath:
    """Runs requests of hot operations through the pipeline, and passes all others to the framework."""

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
