"""Step 5 of the pipeline: the `Idempotency-Key` header of operations that have an effect."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import Request, Response

from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import MAX_BYTES_INLINE
from tessera.api.http.uploads import Upload
from tessera.api.serving.callers import Caller
from tessera.idempotency import service
from tessera.idempotency.service import KeyedRequest, Replay
from tessera.identity.rules import Principal

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Makes the request safe to retry: the same key with the same body has one effect and returns the same response"
        " for 24 hours, with the header `Idempotent-Replayed: true`, even if the resource has changed since."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


async def read_keyed_request(request: Request, principal: Principal) -> KeyedRequest | None:
    """The `Idempotency-Key` of a request with the digest of the request; None without the header."""
    key = request.headers.get(HEADER)
    return KeyedRequest(principal.id, key, await _digest(request)) if key else None


async def once(
    request: Request,
    caller: Caller,
    execute: Callable[[], Awaitable[JsonResponse]],
    *,
    conceal: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Response:
    """The response of `execute`, or the stored response to the first request with the same `Idempotency-Key` and body.

    The stored response is what `conceal` makes of the first one. Raises KeyMalformed, KeyReused, KeyInUse,
    TooManyRequests.
    """
    keyed_request = await read_keyed_request(request, caller.principal)
    if keyed_request is None:
        return await execute()
    first: list[JsonResponse] = []

    async def execute_and_strip() -> tuple[int, bytes]:
        first.append(await execute())
        body = bytes(first[0].body)
        return first[0].status_code, orjson.dumps(conceal(orjson.loads(body))) if conceal else body

    outcome = await service.once(
        caller.work, keyed_request, space=caller.response_space, now=caller.now, effect=execute_and_strip
    )
    return first[0] if first else stored_response(outcome)


def stored_response(outcome: tuple[int, bytes]) -> Response:
    """The response with this status and body, marked if it is a replay."""
    status, body = outcome
    headers = {REPLAYED: "true"} if isinstance(outcome, Replay) else None
    return Response(body, status, headers=headers, media_type="application/json")


async def _digest(request: Request) -> bytes:
    # Of method, path, query and body. White space and the order of properties make no difference.
    upload = getattr(request.state, "upload", None)
    body = upload.digest.encode() if isinstance(upload, Upload) else await request.body()
    body = _canonical(body) if len(body) <= MAX_BYTES_INLINE else await asyncio.to_thread(_canonical, body)
    query = request.scope["query_string"]
    target = request.scope["path"].encode() + (b"?" + query if query else b"")
    return hashlib.sha256(request.method.encode() + b" " + target + b"\n" + body).digest()


def _canonical(body: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        # The body is empty, or nested too deeply to serialize, so its bytes are hashed unchanged.
        return b"\n" + body
