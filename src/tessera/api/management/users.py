"""Managing users: /management/v1/users."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.callers import Manager
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
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.identity.rules import UserDraft
from tessera.identity.users import service
from tessera.identity.users.service import ManagedUser, UserFilter

router = APIRouter(prefix="/management/v1/users", tags=["Management: access"])

# What its bodies and its queries are read with.
BODIES = (
    UserCreateRequest,
    UserUpdateRequest,
)
QUERIES = (UserQuery,)
ID = "userId"
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
    wanted, place = read_cursor_query(request, UserQuery)
    part = await service.list_by_cursor(caller.work, filters=UserFilter(**wanted), **place)
    return cursor_page_response(request, part, [_present(user) for user in part.items])


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
    draft = UserDraft(**(await read_body(request, UserCreateRequest)).draft())

    async def create() -> dict[str, Any]:
        rights = caller.principal.function_points
        return _present(await service.create(caller.work, draft=draft, rights=rights, now=caller.now))

    return await responses.once(request, caller, create, status=201)


@router.get(
    "/{userId}",
    operation_id="getUser",
    summary="Show a user",
    responses=documentation.shown(UserModel, USER),
    openapi_extra=documentation.reading(ID),
)
async def get_user(request: Request, caller: Manager) -> JsonResponse:
    """One user, with the `ETag` that a change needs."""
    return responses.one(_present(await service.get(caller.work, path_id(request, ID))))


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
    draft = UserDraft(**(await read_body(request, UserUpdateRequest)).draft())

    async def update() -> dict[str, Any]:
        rights = caller.principal.function_points
        return _present(await service.update(caller.work, target, draft=draft, rights=rights, now=caller.now))

    return await responses.once(request, caller, update)


@router.post(
    "/{userId}/deactivate",
    operation_id="deactivateUser",
    summary="Switch a user off",
    responses=documentation.changed(UserModel, USER | {"isActive": False, "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_user(request: Request, caller: Manager) -> Response:
    """Switch a user off, and with it all its tokens."""
    target = if_match.target(request, ID)

    async def deactivate() -> dict[str, Any]:
        return _present(await service.deactivate(caller.work, target, now=caller.now))

    return await responses.once(request, caller, deactivate)


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
    target = if_match.target(request, ID)

    async def activate() -> dict[str, Any]:
        rights = caller.principal.function_points
        return _present(await service.activate(caller.work, target, rights=rights, now=caller.now))

    return await responses.once(request, caller, activate)


def _present(user: ManagedUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "functionPoints": user.function_points,
        "partnerId": user.partner_id,
        "isActive": user.is_active,
        "createdAt": user.created_at,
        "version": user.version,
    }
