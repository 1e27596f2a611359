"""Users: /management/v1/users."""

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
    UserPage,
    UserQuery,
    UserUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.identity.rules import UserDraft
from tessera.identity.users import service
from tessera.identity.users.service import UserFilter

router = APIRouter(prefix="/management/v1/users", tags=["Management: users"])

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
    responses=documentation.listed(UserPage, USER),
    openapi_extra=documentation.listing(UserQuery),
)
async def list_users(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's users, including those of voucher partners, oldest first."""
    filters, position = read_cursor_query(request, UserQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, filters=UserFilter(**filters), **position))


@router.post(
    "",
    operation_id="createUser",
    summary="Create a user",
    status_code=201,
    responses=documentation.created(UserModel, USER, violation=BAD_RIGHT),
    openapi_extra=documentation.creating(UserCreateRequest, CREATE),
)
async def create_user(request: Request, caller: Manager) -> Response:
    """Create a user, who needs a token to call the API. You must have all rights that you grant."""
    draft = await read_draft(request, UserCreateRequest, UserDraft)
    rights = caller.principal.function_points
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, rights=rights, now=caller.now), status=201
    )


@router.get(
    "/{userId}",
    operation_id="getUser",
    summary="Retrieve a user",
    responses=documentation.retrieved(UserModel, USER),
    openapi_extra=documentation.retrieving(ID),
)
async def get_user(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a user, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{userId}",
    operation_id="updateUser",
    summary="Update a user",
    responses=documentation.changed(UserModel, USER, violation=BAD_RIGHT),
    openapi_extra=documentation.changing(ID, model=UserUpdateRequest, example=UPDATE),
)
async def update_user(request: Request, caller: Manager) -> Response:
    """Change the names and the rights of a user; the address is permanent.

    You must have each right that you add, and all rights of an administrator from whom you take one. The last active
    administrator cannot lose that right. Users of a voucher partner can have only the rights
    PartnerManageVouchers and PartnerAssignVouchers.
    """
    target = if_match.target(request, ID)
    draft = await read_draft(request, UserUpdateRequest, UserDraft)
    rights = caller.principal.function_points
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, rights=rights, now=caller.now)
    )


@router.post(
    "/{userId}/deactivate",
    operation_id="deactivateUser",
    summary="Deactivate a user",
    responses=documentation.changed(UserModel, USER | {"isActive": False, "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_user(request: Request, caller: Manager) -> Response:
    """Deactivate a user and all tokens of the user.

    The last active administrator cannot be deactivated. Deactivating an administrator requires all their rights.
    """
    rights = caller.principal.function_points
    return await RESOURCE.change(request, caller, service.deactivate, rights=rights)


@router.post(
    "/{userId}/activate",
    operation_id="activateUser",
    summary="Activate a user",
    responses=documentation.changed(UserModel, USER | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_user(request: Request, caller: Manager) -> Response:
    """Activate a user and all tokens of the user. You must have all rights of the user.

    An invited user of a voucher partner must accept the invitation first.
    """
    rights = caller.principal.function_points
    return await RESOURCE.change(request, caller, service.activate, rights=rights)
