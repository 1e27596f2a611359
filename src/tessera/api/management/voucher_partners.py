"""Voucher partners: /management/v1/voucher-partners."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.voucher_partners import (
    CREATE_PARTNER,
    PARTNER,
    RENAME_PARTNER,
    VoucherPartnerCreateRequest,
    VoucherPartnerModel,
    VoucherPartnerPage,
    VoucherPartnerQuery,
    VoucherPartnerUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.partners import service
from tessera.vouchers.partners.service import PartnerDraft, PartnerFilter
from tessera.vouchers.rules import Status

router = APIRouter(prefix="/management/v1/voucher-partners", tags=["Management: voucher partners"])

BODIES = (VoucherPartnerCreateRequest, VoucherPartnerUpdateRequest)
QUERIES = (VoucherPartnerQuery,)
ID = "voucherPartnerId"
RESOURCE = Resource(VoucherPartnerModel, id=ID)
NAME_TAKEN = ("/name", "NameTaken", "name must be unique, and 'Acme Corp' is taken.")


@router.get(
    "",
    operation_id="listManagedVoucherPartners",
    summary="List voucher partners",
    responses=documentation.listed(VoucherPartnerPage, PARTNER),
    openapi_extra=documentation.listing(VoucherPartnerQuery),
)
async def list_partners(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's voucher partners, oldest first, including archived ones."""
    filters, position = read_cursor_query(request, VoucherPartnerQuery)
    return RESOURCE.page(
        request, await service.list_by_cursor(caller.work, filters=PartnerFilter(**filters), **position)
    )


@router.post(
    "",
    operation_id="createVoucherPartner",
    summary="Create a voucher partner",
    status_code=201,
    responses=documentation.created(VoucherPartnerModel, PARTNER, violation=NAME_TAKEN),
    openapi_extra=documentation.creating(VoucherPartnerCreateRequest, CREATE_PARTNER),
)
async def create_partner(request: Request, caller: Manager) -> Response:
    """Create a company that buys vouchers. Its name cannot be reused, even after it is archived."""
    draft = await read_draft(request, VoucherPartnerCreateRequest, PartnerDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{voucherPartnerId}",
    operation_id="getVoucherPartner",
    summary="Retrieve a voucher partner",
    responses=documentation.retrieved(VoucherPartnerModel, PARTNER),
    openapi_extra=documentation.retrieving(ID),
)
async def get_partner(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a voucher partner, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{voucherPartnerId}",
    operation_id="renameVoucherPartner",
    summary="Rename a voucher partner",
    responses=documentation.changed(
        VoucherPartnerModel, PARTNER | RENAME_PARTNER | {"version": 2}, violation=NAME_TAKEN
    ),
    openapi_extra=documentation.changing(ID, model=VoucherPartnerUpdateRequest, example=RENAME_PARTNER),
)
async def rename_partner(request: Request, caller: Manager) -> Response:
    """Change the name of a partner that is not archived."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, VoucherPartnerUpdateRequest, PartnerDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.rename(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{voucherPartnerId}/activate",
    operation_id="activateVoucherPartner",
    summary="Activate a voucher partner",
    responses=documentation.changed(VoucherPartnerModel, PARTNER | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def activate_partner(request: Request, caller: Manager) -> Response:
    """Activate an inactive partner."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ACTIVE)


@router.post(
    "/{voucherPartnerId}/deactivate",
    operation_id="deactivateVoucherPartner",
    summary="Deactivate a voucher partner",
    responses=documentation.changed(VoucherPartnerModel, PARTNER | {"status": "Inactive", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_partner(request: Request, caller: Manager) -> Response:
    """Deactivate an active partner. Its vouchers remain valid."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.INACTIVE)


@router.post(
    "/{voucherPartnerId}/archive",
    operation_id="archiveVoucherPartner",
    summary="Archive a voucher partner (permanent)",
    responses=documentation.changed(VoucherPartnerModel, PARTNER | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_partner(request: Request, caller: Manager) -> Response:
    """Archive a partner, which can then neither buy vouchers nor be changed. Its vouchers remain valid."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ARCHIVED)
