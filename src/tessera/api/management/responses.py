"""Answers that carry a version: of what is read, and of what a write has made of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi import Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.serving import idempotency
from tessera.api.serving.callers import Caller

Body = Mapping[str, Any]


def one(body: Body, status: int = 200) -> JsonResponse:
    """One thing with its version, which the body has as well."""
    return JsonResponse(body, status, headers=if_match.etag(body["version"]))


async def once(
    request: Request,
    caller: Caller,
    write: Callable[[], Awaitable[Body]],
    *,
    status: int = 200,
    secret: str | None = None,
) -> Response:
    """The answer of a write; under an `Idempotency-Key` it has one effect, and shows the field `secret` once."""

    async def effect() -> JsonResponse:
        return one(await write(), status)

    answer = await idempotency.once(request, caller, effect, secret=secret)
    if "ETag" not in answer.headers:
        answer.headers.update(if_match.etag(orjson.loads(bytes(answer.body))["version"]))
    return answer
