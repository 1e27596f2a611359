"""The `Idempotency-Key` header of operations that have an effect."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response

from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import receive_body, size_of_body
from tessera.api.http.uploads import Upload
from tessera.api.serving.callers import Caller, bearer_subject
from tessera.idempotency import service
from tessera.idempotency.service import KeyedRequest, Outcome, PendingRequest
from tessera.identity.authentication.service import Credential
from tessera.kit.batching import KeyedBatcher
from tessera.kit.errors import DomainError

Asked = TypeVar("Asked")

LARGE = 16 * 1024
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
    request: Request, caller: Caller, effect: Callable[[], Awaitable[JsonResponse]], *, secret: str | None = None
) -> Response:
    """The answer of `effect`; with an `Idempotency-Key`, of its first run, for the same body at the same path.

    The field named `secret` is in the first answer alone: what is kept for the others has null there. Raises
    KeyMalformed, KeyReused, KeyInUse.
    """
    key = request.headers.get(HEADER)
    if not key:
        return await effect()
    given: list[JsonResponse] = []

    async def kept() -> tuple[int, bytes]:
        given.append(await effect())
        body = bytes(given[0].body)
        return given[0].status_code, _without(secret, body) if secret else body

    keyed = KeyedRequest(caller.principal.id, key, await digest_of(request))
    status, body = await service.once(caller.work, keyed, now=caller.now, effect=kept)
    return given[0] if given else Response(body, status, media_type="application/json")


async def once_among_others(
    request: Request,
    batchers: KeyedBatcher[Credential, PendingRequest[Asked], Outcome],
    read: Callable[[], Awaitable[Asked]],
) -> Response:
    """The same for the caller with a Bearer token, served together with what it asks at the same time.

    What is asked is read after the credential has been looked at; a large body goes alone.
    """
    subject = bearer_subject(request)
    request.state.organization_id = subject.organization_id
    await receive_body(request)
    requested = PendingRequest(read, request.headers.get(HEADER) or None, partial(digest_of, request))
    ask = batchers.ask if await size_of_body(request) <= LARGE else batchers.ask_heavy
    return outcome_response(await ask(subject, requested))


async def key_and_digest(request: Request, *, is_sound: bool) -> tuple[str | None, bytes]:
    """The key of a request that is served together with others, and what tells a sound one from them."""
    key = request.headers.get(HEADER) or None
    return key, await digest_of(request) if key and is_sound else b""


def outcome_response(answer: Outcome) -> Response:
    """The answer to such a request; raises the fact that it may be."""
    if isinstance(answer, DomainError):
        raise answer
    status, body = answer
    return Response(body, status, media_type="application/json")


def _without(secret: str, body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body) | {secret: None})


async def digest_of(request: Request) -> bytes:
    """What tells a request from others: method, path and body."""
    # White space and the order of properties are not part of what was asked.
    upload = getattr(request.state, "upload", None)
    body = upload.digest.encode() if isinstance(upload, Upload) else await request.body()
    try:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        # No body at all, or one that is nested deeper than may be written: it counts as it came.
        body = b"\n" + body
    return hashlib.sha256(f"{request.method} {request.scope['path']}\n".encode() + body).digest()
