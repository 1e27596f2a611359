"""Managing API keys: /management/v1/keys."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.callers import Manager
from tessera.api.management.schemas.keys import (
    KEY,
    KEY_SECRET,
    REQUEST,
    ROTATE,
    KeyModel,
    KeyQuery,
    KeyRequest,
    KeyRotateRequest,
    KeySecretModel,
    KeySlice,
)
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.identity.keys import service
from tessera.identity.keys.service import ManagedKey
from tessera.identity.rules import CredentialDraft, overlap_of
from tessera.kit.errors import Invalid

router = APIRouter(prefix="/management/v1/keys", tags=["Management: access"])

# What its bodies and its queries are read with.
BODIES = (
    KeyRequest,
    KeyRotateRequest,
)
QUERIES = (KeyQuery,)
ID = "keyId"
SHOWN_ONCE = "apiKey"
BAD_RIGHT = ("/functionPoints/0", "NotFunctionPoint", "functionPoints/0 must be one of ManageOrganization, ...")
BAD_OVERLAP = ("/overlapHours", "OverlapRange", "overlapHours must be between 0 and 8,784.")


@router.get(
    "",
    operation_id="listKeys",
    summary="List API keys",
    responses=documentation.listed(KeySlice, KEY),
    openapi_extra=documentation.listing(KeyQuery),
)
async def list_keys(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's API keys, oldest first, those that have ended included."""
    _, place = read_cursor_query(request, KeyQuery)
    part = await service.list_by_cursor(caller.work, **place)
    return cursor_page_response(request, part, [_present(key) for key in part.items])


@router.post(
    "",
    operation_id="createKey",
    summary="Create an API key",
    status_code=201,
    responses=documentation.created(KeySecretModel, KEY_SECRET, broken=BAD_RIGHT),
    openapi_extra=documentation.making(KeyRequest, REQUEST),
)
async def create_key(request: Request, caller: Manager) -> Response:
    """Create an API key, and show it this once. Nobody can give a right that they lack."""
    draft = CredentialDraft(**(await read_body(request, KeyRequest)).draft())

    async def create() -> dict[str, Any]:
        rights = caller.principal.function_points
        key, text = await service.create(caller.work, draft=draft, rights=rights, now=caller.now)
        return _present(key) | {SHOWN_ONCE: text}

    return await responses.once(request, caller, create, status=201, secret=SHOWN_ONCE)


@router.get(
    "/{keyId}",
    operation_id="getKey",
    summary="Show an API key",
    responses=documentation.shown(KeyModel, KEY),
    openapi_extra=documentation.reading(ID),
)
async def get_key(request: Request, caller: Manager) -> JsonResponse:
    """One API key, with the `ETag` that a change needs. `lastUsedAt` comes minutes late."""
    return responses.one(_present(await service.get(caller.work, path_id(request, ID))))


@router.post(
    "/{keyId}/rotate",
    operation_id="rotateKey",
    summary="Replace an API key",
    responses=documentation.changed(KeySecretModel, KEY_SECRET, broken=BAD_OVERLAP),
    openapi_extra=documentation.changing(ID, model=KeyRotateRequest, example=ROTATE),
)
async def rotate_key(request: Request, caller: Manager) -> Response:
    """Create a key in place of this one, which works on for a while; answers the new key, shown this once.

    The key gives its rights, so you need them all.
    """
    target = if_match.target(request, ID)
    reading = await read_body(request, KeyRotateRequest)
    if reading.violations:
        raise Invalid(reading.violations)
    overlap = overlap_of(reading.values["overlap_hours"])

    async def rotate() -> dict[str, Any]:
        rights = caller.principal.function_points
        key, text = await service.rotate(caller.work, target, overlap=overlap, rights=rights, now=caller.now)
        return _present(key) | {SHOWN_ONCE: text}

    return await responses.once(request, caller, rotate, secret=SHOWN_ONCE)


@router.post(
    "/{keyId}/revoke",
    operation_id="revokeKey",
    summary="End an API key",
    responses=documentation.changed(KeyModel, KEY | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def revoke_key(request: Request, caller: Manager) -> Response:
    """End a key at once."""
    target = if_match.target(request, ID)

    async def revoke() -> dict[str, Any]:
        return _present(await service.revoke(caller.work, target, now=caller.now))

    return await responses.once(request, caller, revoke)


def _present(key: ManagedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "functionPoints": key.function_points,
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
        "lastUsedAt": key.last_used_at,
        "version": key.version,
    }
