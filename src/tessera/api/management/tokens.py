"""Long-lived tokens: /management/v1/tokens."""

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_values
from tessera.api.management.responses import Resource, once
from tessera.api.management.schemas.tokens import (
    REQUEST,
    TOKEN,
    TOKEN_SECRET,
    IssuedTokenModel,
    IssuedTokenPage,
    IssuedTokenSecretModel,
    TokenIssueRequest,
    TokenQuery,
)
from tessera.api.management.serialization import Body
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.api.serving.resources import resources_of
from tessera.identity.rules import lifetime_of
from tessera.identity.tokens import service

router = APIRouter(prefix="/management/v1/tokens", tags=["Management: users"])

BODIES = (TokenIssueRequest,)
QUERIES = (TokenQuery,)
ID = "tokenId"
RESOURCE = Resource(IssuedTokenModel, id=ID)
SHOWN_ONCE = "token"
BAD_DAYS = ("/days", "DaysRange", "days must be between 1 and 3,660.")


@router.get(
    "",
    operation_id="listTokens",
    summary="List long-lived tokens",
    responses=documentation.listed(IssuedTokenPage, TOKEN),
    openapi_extra=documentation.listing(TokenQuery),
)
async def list_tokens(request: Request, caller: Manager) -> JsonResponse:
    """List the long-lived tokens of your organization's users, oldest first, including expired and revoked ones."""
    filters, position = read_cursor_query(request, TokenQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, user_id=filters.get("user_id"), **position))


@router.post(
    "",
    operation_id="issueToken",
    summary="Issue a long-lived token",
    status_code=201,
    responses=documentation.created(IssuedTokenSecretModel, TOKEN_SECRET, violation=BAD_DAYS)
    | problem_details.documented(404),
    openapi_extra=documentation.creating(TokenIssueRequest, REQUEST),
)
async def issue_token(request: Request, caller: Manager) -> Response:
    """Issue a Bearer token to a user. Only this response has its text.

    You must have all rights of the user.
    """
    values = await read_values(request, TokenIssueRequest)
    email, lifetime = values["email"], lifetime_of(values["days"])

    async def issue() -> Body:
        signer, rights = resources_of(request).signer, caller.principal.function_points
        token, text = await service.issue(
            caller.work, signer=signer, email=email, lifetime=lifetime, rights=rights, now=caller.now
        )
        return IssuedTokenSecretModel.of(token, token=text)

    return await once(request, caller, issue, status=201, secret=SHOWN_ONCE)


@router.get(
    "/{tokenId}",
    operation_id="getToken",
    summary="Retrieve a long-lived token",
    responses=documentation.retrieved(IssuedTokenModel, TOKEN),
    openapi_extra=documentation.retrieving(ID),
)
async def get_token(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a token without its text, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.post(
    "/{tokenId}/revoke",
    operation_id="revokeToken",
    summary="Revoke a long-lived token",
    responses=documentation.changed(IssuedTokenModel, TOKEN | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def revoke_token(request: Request, caller: Manager) -> Response:
    """Revoke a token (permanent). It becomes invalid at once.

    Revoking the token of another administrator requires all their rights.
    """
    rights = caller.principal.function_points
    return await RESOURCE.change(request, caller, service.revoke, rights=rights)
