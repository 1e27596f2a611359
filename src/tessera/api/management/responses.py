"""Responses of the management API: representations of domain values, with their versions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.management.serialization import Body, Representation
from tessera.api.serving import idempotency
from tessera.api.serving.callers import Caller
from tessera.api.serving.cursor_pages import cursor_page_response
from tessera.kit.db.pages import CursorPage


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type: the model of its representation, and the path parameter with its id."""

    model: type[Representation]
    id: str

    def page(self, request: Request, page: CursorPage[Any]) -> JsonResponse:
        """A page of a list, with the link to the next page."""
        return cursor_page_response(request, page, [self.model.of(value) for value in page.items])

    def one(self, value: object) -> JsonResponse:
        """One resource, with its `ETag`."""
        return with_etag(self.model.of(value))

    async def write(
        self, request: Request, caller: Caller, effect: Callable[[], Awaitable[object]], *, status: int = 200
    ) -> Response:
        """The resource after a write, which has one effect for each `Idempotency-Key`."""

        async def write() -> Body:
            return self.model.of(await effect())

        return await once(request, caller, write, status=status)

    async def change(
        self, request: Request, caller: Caller, operation: Callable[..., Awaitable[object]], **arguments: object
    ) -> Response:
        """The resource in the path after an operation of its service, if `If-Match` matches its version."""
        target = if_match.target(request, self.id)
        return await self.write(request, caller, lambda: operation(caller.work, target, now=caller.now, **arguments))


def with_etag(body: Body, status: int = 200) -> JsonResponse:
    """The response with this body, whose version is also its `ETag`."""
    return JsonResponse(body, status, headers=if_match.etag(body["version"]))


async def once(
    request: Request,
    caller: Caller,
    write: Callable[[], Awaitable[Body]],
    *,
    status: int = 200,
    secret: str | None = None,
) -> Response:
    """The response of a write, which has one effect for each `Idempotency-Key`; a repeated response omits `secret`."""

    async def effect() -> JsonResponse:
        return with_etag(await write(), status)

    conceal = (lambda body: body | {secret: None}) if secret else None
    response = await idempotency.once(request, caller, effect, conceal=conceal)
    if "ETag" not in response.headers:
        response.headers.update(if_match.etag(orjson.loads(bytes(response.body))["version"]))
    return response
