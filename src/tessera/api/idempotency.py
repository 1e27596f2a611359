"""The `Idempotency-Key` header of operations that have an effect."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import Request, Response

from tessera.api.answers import JsonAnswer
from tessera.api.deps import Caller
from tessera.api.uploads import Upload
from tessera.idempotency import service

HEADER = "Idempotency-Key"
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Makes the request safe to send again: the same key with the same body has one effect and gets the same answer"
        " for 24 hours."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


async def once(
    request: Request, caller: Caller, effect: Callable[[], Awaitable[JsonAnswer]], *, secret: str | None = None
) -> Response:
    """The answer of `effect`; with an `Idempotency-Key`, of its first run, for the same body at the same path.

    The field named `secret` is in the first answer alone: what is kept for the others has null there. Raises
    KeyMalformed, KeyReused, KeyInUse.
    """
    key = request.headers.get(HEADER)
    if not key:
        return await effect()
    given: list[JsonAnswer] = []

    async def kept() -> tuple[int, bytes]:
        given.append(await effect())
        body = bytes(given[0].body)
        return given[0].status_code, _without(secret, body) if secret else body

    status, body = await service.once(
        caller.work,
        caller_id=caller.principal.id,
        key=key,
        request_digest=await _digest(request),
        now=caller.now,
        effect=kept,
    )
    return given[0] if given else Response(body, status, media_type="application/json")


def _without(secret: str, body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body) | {secret: None})


async def _digest(request: Request) -> bytes:
    # White space and the order of properties are not part of what was asked.
    upload = getattr(request.state, "upload", None)
    body = upload.digest.encode() if isinstance(upload, Upload) else await request.body()
    try:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS) if body else body
    # What is nested deeper than may be written is still read, and where no body is asked for it may be anything.
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        body = b"\n" + body
    place = f"{request.method} {request.scope['route'].path}\n"
    place += "".join(f"{name}={value}\n" for name, value in sorted(request.path_params.items()))
    return hashlib.sha256(place.encode() + body).digest()
