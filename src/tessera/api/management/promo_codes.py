"""Promo codes of every kind: /management/v1/promo-codes."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.promo_codes import (
    CREATE,
    LISTED_PROMO_CODE,
    PROMO_CODE,
    UPDATE,
    ManagedPromoCodeCreateRequest,
    ManagedPromoCodeModel,
    ManagedPromoCodePage,
    ManagedPromoCodeUpdateRequest,
    PromoCodeQuery,
)
from tessera.api.serving.cursor_pages import read_code_query
from tessera.api.serving.dependencies import CodeNamer, Manager
from tessera.api.serving.resources import resources_of
from tessera.kit.errors import Invalid
from tessera.promo_codes.drafts import tells_of_vouchers
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter
from tessera.promo_codes.rules import PromoCodeDraft

router = APIRouter(prefix="/management/v1/promo-codes", tags=["Management: promo codes"])

BODIES = (ManagedPromoCodeCreateRequest, ManagedPromoCodeUpdateRequest)
QUERIES = (PromoCodeQuery,)
ID = "promoCodeId"
RESOURCE = Resource(ManagedPromoCodeModel, id=ID)
ONE_DISCOUNT = (
    "/discountPercent",
    "OneDiscount",
    "discountPercent or a flat discount must be given, and not both of them.",
)


@router.get(
    "",
    operation_id="listManagedPromoCodes",
    summary="List promo codes of every kind",
    responses=documentation.listed(ManagedPromoCodePage, LISTED_PROMO_CODE),
    openapi_extra=documentation.listing(PromoCodeQuery),
)
async def list_promo_codes(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's promo codes, including archived ones. Codes of the platform are global.

    The oldest come first, unless `order` or `search` says otherwise.
    """
    filters, position = read_code_query(request, PromoCodeQuery)
    return RESOURCE.page(
        request, await service.list_by_cursor(caller.work, filters=ManagedFilter(**filters), **position)
    )


@router.post(
    "",
    operation_id="createManagedPromoCode",
    summary="Create a promo code of any kind",
    status_code=201,
    responses=documentation.created(ManagedPromoCodeModel, PROMO_CODE, violation=ONE_DISCOUNT),
    openapi_extra=documentation.creating(ManagedPromoCodeCreateRequest, CREATE),
)
async def create_promo_code(request: Request, caller: CodeNamer) -> Response:
    """Create a promo code with a percentage or a flat amount, for some exams and bundles or for all.

    Its name must not be that of another promo code or the code of a voucher. A refusal counts against the budget of
    guesses of the credential, unless another promo code has the name.
    """
    draft = await read_draft(request, ManagedPromoCodeCreateRequest, PromoCodeDraft)
    try:
        return await RESOURCE.write(
            request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
        )
    except Invalid as error:
        resources_of(request).pipeline.count_misses(request, int(tells_of_vouchers(error)))
        raise


@router.get(
    "/{promoCodeId}",
    operation_id="getManagedPromoCode",
    summary="Retrieve a promo code",
    responses=documentation.retrieved(ManagedPromoCodeModel, PROMO_CODE),
    openapi_extra=documentation.retrieving(ID),
)
async def get_promo_code(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a promo code with all its addresses, and the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{promoCodeId}",
    operation_id="updateManagedPromoCode",
    summary="Update a promo code",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"version": 2}, violation=ONE_DISCOUNT),
    openapi_extra=documentation.changing(ID, model=ManagedPromoCodeUpdateRequest, example=UPDATE),
)
async def update_promo_code(request: Request, caller: Manager) -> Response:
    """Replace all fields of a promo code except its name and status; fields missing from the body are cleared.

    A total limit can be added, changed and removed at any time. It cannot be below the number of redeemed and held uses
    so far.
    """
    target = if_match.target(request, ID)
    draft = await read_draft(request, ManagedPromoCodeUpdateRequest, PromoCodeDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{promoCodeId}/activate",
    operation_id="activatePromoCode",
    summary="Activate a promo code",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_promo_code(request: Request, caller: Manager) -> Response:
    """Activate an inactive promo code."""
    return await RESOURCE.change(request, caller, service.activate)


@router.post(
    "/{promoCodeId}/deactivate",
    operation_id="deactivatePromoCode",
    summary="Deactivate a promo code",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"status": "Inactive", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_promo_code(request: Request, caller: Manager) -> Response:
    """Deactivate an active promo code, which can be activated again."""
    return await RESOURCE.change(request, caller, service.deactivate)


@router.post(
    "/{promoCodeId}/archive",
    operation_id="archivePromoCode",
    summary="Archive a promo code (permanent)",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_promo_code(request: Request, caller: Manager) -> Response:
    """Archive a promo code permanently. Its name cannot be reused."""
    return await RESOURCE.change(request, caller, service.archive)
