"""Managing API clients: /management/v1/clients."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id, read_body
from tessera.api.management import documentation
from tessera.api.management.responses import once, with_etag
from tessera.api.management.schemas.clients import (
    CLIENT,
    CLIENT_SECRET,
    REQUEST,
    ClientModel,
    ClientQuery,
    ClientRequest,
    ClientSecretModel,
    ClientSlice,
)
from tessera.api.management.serialization import Body
from tessera.api.serving.callers import Caller
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.identity.clients import service
from tessera.identity.clients.service import ManagedClient
from tessera.identity.rules import CredentialDraft

router = APIRouter(prefix="/management/v1/clients", tags=["Management: access"])

# What its bodies and its queries are read with.
BODIES = (ClientRequest,)
QUERIES = (ClientQuery,)
ID = "apiClientId"
SHOWN_ONCE = "clientSecret"
BAD_RIGHT = ("/functionPoints/0", "NotFunctionPoint", "functionPoints/0 must be one of ManageOrganization, ...")


@router.get(
    "",
    operation_id="listClients",
    summary="List API clients",
    responses=documentation.listed(ClientSlice, CLIENT),
    openapi_extra=documentation.listing(ClientQuery),
)
async def list_clients(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's API clients, oldest first, those that were ended included."""
    _, place = read_cursor_query(request, ClientQuery)
    part = await service.list_by_cursor(caller.work, **place)
    return cursor_page_response(request, part, [_body(caller, client) for client in part.items])


@router.post(
    "",
    operation_id="createClient",
    summary="Create an API client",
    status_code=201,
    responses=documentation.created(ClientSecretModel, CLIENT_SECRET, broken=BAD_RIGHT),
    openapi_extra=documentation.making(ClientRequest, REQUEST),
)
async def create_client(request: Request, caller: Manager) -> Response:
    """Create an API client, and show its secret this once. Nobody can give a right that they lack."""
    draft = CredentialDraft(**(await read_body(request, ClientRequest)).draft())

    async def create() -> Body:
        rights = caller.principal.function_points
        client, secret = await service.create(caller.work, draft=draft, rights=rights, now=caller.now)
        return _body(caller, client) | {SHOWN_ONCE: secret}

    return await once(request, caller, create, status=201, secret=SHOWN_ONCE)


@router.get(
    "/{apiClientId}",
    operation_id="getClient",
    summary="Show an API client",
    responses=documentation.shown(ClientModel, CLIENT),
    openapi_extra=documentation.reading(ID),
)
async def get_client(request: Request, caller: Manager) -> JsonResponse:
    """One API client, with the `ETag` that a change needs."""
    return with_etag(_body(caller, await service.get(caller.work, path_id(request, ID))))


@router.post(
    "/{apiClientId}/rotate-secret",
    operation_id="rotateClientSecret",
    summary="Give an API client another secret",
    responses=documentation.changed(ClientSecretModel, CLIENT_SECRET | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def rotate_client_secret(request: Request, caller: Manager) -> Response:
    """Another secret in place of the old one, which ends at once; shown this once.

    Tokens that were fetched before live on for their hour. The secret gives the client's rights, so you need them all.
    """
    target = if_match.target(request, ID)

    async def rotate() -> Body:
        rights = caller.principal.function_points
        client, secret = await service.rotate_secret(caller.work, target, rights=rights, now=caller.now)
        return _body(caller, client) | {SHOWN_ONCE: secret}

    return await once(request, caller, rotate, secret=SHOWN_ONCE)


@router.post(
    "/{apiClientId}/revoke",
    operation_id="revokeClient",
    summary="End an API client",
    responses=documentation.changed(ClientModel, CLIENT | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def revoke_client(request: Request, caller: Manager) -> Response:
    """End a client for ever, and every token that it fetched."""
    target = if_match.target(request, ID)

    async def revoke() -> Body:
        return _body(caller, await service.revoke(caller.work, target, now=caller.now))

    return await once(request, caller, revoke)


def _body(caller: Caller, client: ManagedClient) -> Body:
    return ClientModel.of(client, client_id=service.client_id_of(caller.work, client))
