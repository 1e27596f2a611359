"""Managing users: /management/v1/users."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.users import (
    CREATE,
    UPDATE,
    USER,
    UserCreateRequest,
    UserModel,
    UserQuery,
    UserSlice,
    UserUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.identity.rules import UserDraft
from tessera.identity.users import service
from tessera.identity.users.service import UserFilter

router = APIRouter(prefix="/management/v1/users", tags=["Management: access"])

# What its bodies and its queries are read with.
BODIES = (
    UserCreateRequest,
    UserUpdateRequest,
)
QUERIES = (UserQuery,)
ID = "userId"
RESOURCE = Resource(UserModel, id=ID)
BAD_RIGHT = ("/functionPoints/0", "NotFunctionPoint", "functionPoints/0 must be one of ManageOrganization, ...")


@router.get(
    "",
    operation_id="listUsers",
    summary="List users",
    responses=documentation.listed(UserSlice, USER),
    openapi_extra=documentation.listing(UserQuery),
)
async def list_users(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's users, those of voucher partners included, oldest first."""
    filters, place = read_cursor_query(request, UserQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, filters=UserFilter(**filters), **place))


@router.post(
    "",
    operation_id="createUser",
    summary="Create a user",
    status_code=201,
    responses=documentation.created(UserModel, USER, broken=BAD_RIGHT),
    openapi_extra=documentation.making(UserCreateRequest, CREATE),
)
async def create_user(request: Request, caller: Manager) -> Response:
    """Create a user, who can call once a token is issued. Nobody can give a right that they lack."""
    draft = await read_draft(request, UserCreateRequest, UserDraft)
    rights = caller.principal.function_points
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, rights=rights, now=caller.now), status=201
    )


@router.get(
    "/{userId}",
    operation_id="getUser",
    summary="Show a user",
    responses=documentation.shown(UserModel, USER),
    openapi_extra=documentation.reading(ID),
)
async def get_user(request: Request, caller: Manager) -> JsonResponse:
    """One user, with the `ETag` that a change needs."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{userId}",
    operation_id="updateUser",
    summary="Change a user",
    responses=documentation.changed(UserModel, USER, broken=BAD_RIGHT),
    openapi_extra=documentation.changing(ID, model=UserUpdateRequest, example=UPDATE),
)
async def update_user(request: Request, caller: Manager) -> Response:
    """Give a user other names and rights: none that you lack and the user has not. The address stays."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, UserUpdateRequest, UserDraft)
    rights = caller.principal.function_points
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, rights=rights, now=caller.now)
    )


@router.post(
    "/{userId}/deactivate",
    operation_id="deactivateUser",
    summary="Switch a user off",
    responses=documentation.changed(UserModel, USER | {"isActive": False, "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_user(request: Request, caller: Manager) -> Response:
    """Switch a user off, and with it all its tokens."""
    return await RESOURCE.change(request, caller, service.deactivate)


@router.post(
    "/{userId}/activate",
    operation_id="activateUser",
    summary="Switch a user on again",
    responses=documentation.changed(UserModel, USER | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_user(request: Request, caller: Manager) -> Response:
    """Switch a user on again, and with it all its tokens. It gives the user's rights, so you need them all.

    A voucher partner's user who is only invited must accept first.
    """
    rights = caller.principal.function_points
    return await RESOURCE.change(request, caller, service.activate, rights=rights)
