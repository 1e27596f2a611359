"""Users of a voucher partner: /management/v1/voucher-partners/{voucherPartnerId}/users."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.voucher_partners import (
    INVITE,
    USER,
    VoucherPartnerUserInviteRequest,
    VoucherPartnerUserModel,
    VoucherPartnerUserPage,
    VoucherPartnerUserQuery,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.partners.users import service
from tessera.vouchers.partners.users.rules import Invitation
from tessera.vouchers.rules import UserStatus

router = APIRouter(
    prefix="/management/v1/voucher-partners/{voucherPartnerId}/users", tags=["Management: voucher partners"]
)

BODIES = (VoucherPartnerUserInviteRequest,)
QUERIES = (VoucherPartnerUserQuery,)
PARTNER_ID = "voucherPartnerId"
ID = "userId"
RESOURCE = Resource(VoucherPartnerUserModel, id=ID)
PATH = (PARTNER_ID, ID)
EMAIL_TAKEN = ("/email", "EmailTaken", "email must be unique, and 'grace@acme.example.com' is taken.")


@router.get(
    "",
    operation_id="listVoucherPartnerUsers",
    summary="List a voucher partner's users",
    responses=documentation.listed(VoucherPartnerUserPage, USER, within=True),
    openapi_extra=documentation.listing(VoucherPartnerUserQuery, PARTNER_ID),
)
async def list_users(request: Request, caller: Manager) -> JsonResponse:
    """List the users of a partner, oldest first."""
    _, position = read_cursor_query(request, VoucherPartnerUserQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, path_id(request, PARTNER_ID), **position))


@router.post(
    "",
    operation_id="inviteVoucherPartnerUser",
    summary="Invite a user of a voucher partner",
    status_code=201,
    responses=documentation.created(VoucherPartnerUserModel, USER, violation=EMAIL_TAKEN, within=True),
    openapi_extra=documentation.creating(VoucherPartnerUserInviteRequest, INVITE, PARTNER_ID),
)
async def invite_user(request: Request, caller: Manager) -> Response:
    """Add a user with the function point `PartnerManageVouchers`, which you must have yourself.

    The user is `Invited`, and can call the API after acceptance and activation.
    """
    caller.principal.require(service.RIGHT)
    partner_id = path_id(request, PARTNER_ID)
    invitation = await read_draft(request, VoucherPartnerUserInviteRequest, Invitation)

    return await RESOURCE.write(
        request, caller, lambda: service.invite(caller.work, partner_id, invitation, now=caller.now), status=201
    )


@router.get(
    "/{userId}",
    operation_id="getVoucherPartnerUser",
    summary="Retrieve a voucher partner's user",
    responses=documentation.retrieved(VoucherPartnerUserModel, USER),
    openapi_extra=documentation.retrieving(*PATH),
)
async def get_user(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a user of a partner, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, PARTNER_ID), path_id(request, ID)))


@router.post(
    "/{userId}/accept",
    operation_id="acceptVoucherPartnerUser",
    summary="Accept the invitation of a voucher partner's user",
    responses=documentation.changed(VoucherPartnerUserModel, USER | {"status": "Accepted", "version": 2}),
    openapi_extra=documentation.changing(*PATH),
)
async def accept_user(request: Request, caller: Manager) -> Response:
    """Change the status from `Invited` to `Accepted`."""
    return await _change_status(request, caller, UserStatus.ACCEPTED)


@router.post(
    "/{userId}/activate",
    operation_id="activateVoucherPartnerUser",
    summary="Activate a voucher partner's user",
    responses=documentation.changed(VoucherPartnerUserModel, USER | {"status": "Active", "version": 3}),
    openapi_extra=documentation.changing(*PATH),
)
async def activate_user(request: Request, caller: Manager) -> Response:
    """Let an `Accepted` or `Inactive` user call the API. You must have all rights of the user."""
    return await _change_status(request, caller, UserStatus.ACTIVE)


@router.post(
    "/{userId}/deactivate",
    operation_id="deactivateVoucherPartnerUser",
    summary="Deactivate a voucher partner's user",
    responses=documentation.changed(VoucherPartnerUserModel, USER | {"status": "Inactive", "version": 4}),
    openapi_extra=documentation.changing(*PATH),
)
async def deactivate_user(request: Request, caller: Manager) -> Response:
    """Change any status to `Inactive`. Requests with the user's tokens are then rejected."""
    return await _change_status(request, caller, UserStatus.INACTIVE)


async def _change_status(request: Request, caller: Manager, status: UserStatus) -> Response:
    partner_id, target = path_id(request, PARTNER_ID), if_match.target(request, ID)
    rights = caller.principal.function_points

    return await RESOURCE.write(
        request,
        caller,
        lambda: service.move(caller.work, partner_id, target, status=status, rights=rights, now=caller.now),
    )
