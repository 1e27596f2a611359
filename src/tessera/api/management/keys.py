"""API keys: /management/v1/keys."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft, read_values
from tessera.api.management.responses import Resource, once
from tessera.api.management.schemas.keys import (
    KEY,
    KEY_SECRET,
    REQUEST,
    ROTATE,
    ApiKeyCreateRequest,
    ApiKeyModel,
    ApiKeyPage,
    ApiKeyRotateRequest,
    ApiKeySecretModel,
    KeyQuery,
)
from tessera.api.management.serialization import Body
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.identity.keys import service
from tessera.identity.rules import CredentialDraft, overlap_of

router = APIRouter(prefix="/management/v1/keys", tags=["Management: clients and keys"])

BODIES = (
    ApiKeyCreateRequest,
    ApiKeyRotateRequest,
)
QUERIES = (KeyQuery,)
ID = "keyId"
RESOURCE = Resource(ApiKeyModel, id=ID)
SHOWN_ONCE = "apiKey"
BAD_RIGHT = ("/functionPoints/0", "NotFunctionPoint", "functionPoints/0 must be one of ManageOrganization, ...")
BAD_OVERLAP = ("/overlapHours", "OverlapRange", "overlapHours must be between 0 and 8,784.")


@router.get(
    "",
    operation_id="listKeys",
    summary="List API keys",
    responses=documentation.listed(ApiKeyPage, KEY),
    openapi_extra=documentation.listing(KeyQuery),
)
async def list_keys(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's API keys, oldest first, including expired and revoked ones."""
    _, position = read_cursor_query(request, KeyQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, **position))


@router.post(
    "",
    operation_id="createKey",
    summary="Create an API key",
    status_code=201,
    responses=documentation.created(ApiKeySecretModel, KEY_SECRET, violation=BAD_RIGHT),
    openapi_extra=documentation.creating(ApiKeyCreateRequest, REQUEST),
)
async def create_key(request: Request, caller: Manager) -> Response:
    """Create an API key. Only this response has its text. You must have all rights that you grant."""
    draft = await read_draft(request, ApiKeyCreateRequest, CredentialDraft)

    async def create() -> Body:
        rights = caller.principal.function_points
        key, text = await service.create(caller.work, draft=draft, rights=rights, now=caller.now)
        return ApiKeySecretModel.of(key, api_key=text)

    return await once(request, caller, create, status=201, secret=SHOWN_ONCE)


@router.get(
    "/{keyId}",
    operation_id="getKey",
    summary="Retrieve an API key",
    responses=documentation.retrieved(ApiKeyModel, KEY),
    openapi_extra=documentation.retrieving(ID),
)
async def get_key(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve an API key, with the `ETag` that a change requires. `lastUsedAt` may be a few minutes old."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.post(
    "/{keyId}/rotate",
    operation_id="rotateKey",
    summary="Rotate an API key",
    responses=documentation.changed(ApiKeySecretModel, KEY_SECRET, violation=BAD_OVERLAP),
    openapi_extra=documentation.changing(ID, model=ApiKeyRotateRequest, example=ROTATE),
)
async def rotate_key(request: Request, caller: Manager) -> Response:
    """Create a key that replaces this one, which stays valid for `overlapHours`.

    Only this response has the text of the new key. You must have all rights of the key.
    """
    target = if_match.target(request, ID)
    overlap = overlap_of((await read_values(request, ApiKeyRotateRequest))["overlap_hours"])

    async def rotate() -> Body:
        rights = caller.principal.function_points
        key, text = await service.rotate(caller.work, target, overlap=overlap, rights=rights, now=caller.now)
        return ApiKeySecretModel.of(key, api_key=text)

    return await once(request, caller, rotate, secret=SHOWN_ONCE)


@router.post(
    "/{keyId}/revoke",
    operation_id="revokeKey",
    summary="Revoke an API key",
    responses=documentation.changed(ApiKeyModel, KEY | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def revoke_key(request: Request, caller: Manager) -> Response:
    """Revoke a key (permanent). It becomes invalid at once."""
    rights = caller.principal.function_points
    return await RESOURCE.change(request, caller, service.revoke, rights=rights)
