"""API clients: /management/v1/clients."""

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft, read_filters
from tessera.api.management.responses import once, with_etag
from tessera.api.management.schemas.clients import (
    CLIENT,
    CLIENT_SECRET,
    REQUEST,
    ApiClientCreateRequest,
    ApiClientModel,
    ApiClientPage,
    ApiClientSecretModel,
    ClientQuery,
    ClientRotateQuery,
)
from tessera.api.management.serialization import Body
from tessera.api.serving.callers import Caller
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.identity.clients import service
from tessera.identity.clients.service import ManagedClient
from tessera.identity.rules import CredentialDraft

router = APIRouter(prefix="/management/v1/clients", tags=["Management: clients and keys"])

BODIES = (ApiClientCreateRequest,)
BAD_FLAG = ("/endTokens", "NotFlag", "endTokens must be true or false.")
QUERIES = (ClientQuery, ClientRotateQuery)
ID = "apiClientId"
SHOWN_ONCE = "clientSecret"
BAD_RIGHT = ("/functionPoints/0", "NotFunctionPoint", "functionPoints/0 must be one of ManageOrganization, ...")


@router.get(
    "",
    operation_id="listClients",
    summary="List API clients",
    responses=documentation.listed(ApiClientPage, CLIENT),
    openapi_extra=documentation.listing(ClientQuery),
)
async def list_clients(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's API clients, oldest first, including revoked ones."""
    _, position = read_cursor_query(request, ClientQuery)
    page = await service.list_by_cursor(caller.work, **position)
    return cursor_page_response(request, page, [_body(caller, client) for client in page.items])


@router.post(
    "",
    operation_id="createClient",
    summary="Create an API client",
    status_code=201,
    responses=documentation.created(ApiClientSecretModel, CLIENT_SECRET, violation=BAD_RIGHT),
    openapi_extra=documentation.creating(ApiClientCreateRequest, REQUEST),
)
async def create_client(request: Request, caller: Manager) -> Response:
    """Create an API client. Only this response has the secret. You must have all rights that you grant."""
    draft = await read_draft(request, ApiClientCreateRequest, CredentialDraft)

    async def create() -> Body:
        rights = caller.principal.function_points
        client, secret = await service.create(caller.work, draft=draft, rights=rights, now=caller.now)
        return _body(caller, client) | {SHOWN_ONCE: secret}

    return await once(request, caller, create, status=201, secret=SHOWN_ONCE)


@router.get(
    "/{apiClientId}",
    operation_id="getClient",
    summary="Retrieve an API client",
    responses=documentation.retrieved(ApiClientModel, CLIENT),
    openapi_extra=documentation.retrieving(ID),
)
async def get_client(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve an API client, with the `ETag` that a change requires."""
    return with_etag(_body(caller, await service.get(caller.work, path_id(request, ID))))


@router.post(
    "/{apiClientId}/rotate-secret",
    operation_id="rotateClientSecret",
    summary="Rotate the secret of an API client",
    responses=documentation.changed(ApiClientSecretModel, CLIENT_SECRET | {"version": 2})
    | {400: problem_details.documented_invalid(*BAD_FLAG)},
    openapi_extra=documentation.changing(ID, query=ClientRotateQuery),
)
async def rotate_client_secret(request: Request, caller: Manager) -> Response:
    """Replace the secret, which becomes invalid at once. Only this response has the new secret.

    Access tokens remain valid until they expire, for up to an hour, unless `endTokens` is true. You must have all
    rights of the client.
    """
    target = if_match.target(request, ID)
    ends_tokens = bool(read_filters(request, ClientRotateQuery).get("end_tokens"))

    async def rotate() -> Body:
        rights = caller.principal.function_points
        client, secret = await service.rotate_secret(
            caller.work, target, ends_tokens=ends_tokens, rights=rights, now=caller.now
        )
        return _body(caller, client) | {SHOWN_ONCE: secret}

    return await once(request, caller, rotate, secret=SHOWN_ONCE)


@router.post(
    "/{apiClientId}/revoke",
    operation_id="revokeClient",
    summary="Revoke an API client",
    responses=documentation.changed(ApiClientModel, CLIENT | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def revoke_client(request: Request, caller: Manager) -> Response:
    """Revoke a client and all its access tokens (permanent)."""
    target = if_match.target(request, ID)

    rights = caller.principal.function_points

    async def revoke() -> Body:
        return _body(caller, await service.revoke(caller.work, target, rights=rights, now=caller.now))

    return await once(request, caller, revoke)


def _body(caller: Caller, client: ManagedClient) -> Body:
    return ApiClientModel.of(client, client_id=service.client_id_of(caller.work, client))
