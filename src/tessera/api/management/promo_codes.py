"""Managing promo codes of every kind: /management/v1/promo-codes."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import ParsedRequest, path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.schemas.promo_codes import (
    CREATE,
    LISTED_PROMO_CODE,
    PROMO_CODE,
    UPDATE,
    ManagedPromoCodeModel,
    ManagedPromoCodeSlice,
    PromoCodeCreateRequest,
    PromoCodeQuery,
    PromoCodeUpdateRequest,
)
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter, ManagedPromoCode
from tessera.promo_codes.rules import PromoCodeDraft

router = APIRouter(prefix="/management/v1/promo-codes", tags=["Management: promo codes"])

# What its bodies and its queries are read with.
BODIES = (PromoCodeCreateRequest, PromoCodeUpdateRequest)
QUERIES = (PromoCodeQuery,)
ID = "promoCodeId"
ONE_DISCOUNT = (
    "/discountPercent",
    "OneDiscount",
    "discountPercent or a flat discount must be given, and not both of them.",
)


@router.get(
    "",
    operation_id="listManagedPromoCodes",
    summary="List promo codes of every kind",
    responses=documentation.listed(ManagedPromoCodeSlice, LISTED_PROMO_CODE),
    openapi_extra=documentation.listing(PromoCodeQuery),
)
async def list_promo_codes(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's promo codes, oldest first, archived ones included. The platform's are the global ones."""
    wanted, place = read_cursor_query(request, PromoCodeQuery)
    part = await service.list_by_cursor(caller.work, wanted=ManagedFilter(**wanted), **place)
    return cursor_page_response(request, part, [present(code) for code in part.items])


@router.post(
    "",
    operation_id="createManagedPromoCode",
    summary="Create a promo code of any kind",
    status_code=201,
    responses=documentation.created(ManagedPromoCodeModel, PROMO_CODE, broken=ONE_DISCOUNT),
    openapi_extra=documentation.making(PromoCodeCreateRequest, CREATE),
)
async def create_promo_code(request: Request, caller: Manager) -> Response:
    """Create a promo code: a percentage or a flat amount, for some exams and bundles or for all."""
    draft = as_draft(await read_body(request, PromoCodeCreateRequest))

    async def create() -> dict[str, Any]:
        return present(await service.create(caller.work, draft=draft, now=caller.now))

    return await responses.once(request, caller, create, status=201)


@router.get(
    "/{promoCodeId}",
    operation_id="getManagedPromoCode",
    summary="Show a promo code",
    responses=documentation.shown(ManagedPromoCodeModel, PROMO_CODE),
    openapi_extra=documentation.reading(ID),
)
async def get_promo_code(request: Request, caller: Manager) -> JsonResponse:
    """One promo code with all its addresses, and the `ETag` that a change of it needs."""
    return responses.one(present(await service.get(caller.work, path_id(request, ID))))


@router.put(
    "/{promoCodeId}",
    operation_id="updateManagedPromoCode",
    summary="Change a promo code",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"version": 2}, broken=ONE_DISCOUNT),
    openapi_extra=documentation.changing(ID, model=PromoCodeUpdateRequest, example=UPDATE),
)
async def update_promo_code(request: Request, caller: Manager) -> Response:
    """Give a promo code everything of the body; what is absent there, it has no longer. Its name stays.

    Whether it has a limit in total stays too, and a limit never falls below the uses that are taken or held.
    """
    target = if_match.target(request, ID)
    draft = as_draft(await read_body(request, PromoCodeUpdateRequest))

    async def update() -> dict[str, Any]:
        return present(await service.update(caller.work, target, draft=draft, now=caller.now))

    return await responses.once(request, caller, update)


@router.post(
    "/{promoCodeId}/activate",
    operation_id="activatePromoCode",
    summary="Make a promo code usable",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_promo_code(request: Request, caller: Manager) -> Response:
    """Make an inactive promo code usable."""
    return await _move(request, caller, service.activate)


@router.post(
    "/{promoCodeId}/deactivate",
    operation_id="deactivatePromoCode",
    summary="Make a promo code unusable for now",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"status": "Inactive", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_promo_code(request: Request, caller: Manager) -> Response:
    """Make an active promo code unusable, until it is activated again."""
    return await _move(request, caller, service.deactivate)


@router.post(
    "/{promoCodeId}/archive",
    operation_id="archivePromoCode",
    summary="Put a promo code away for ever",
    responses=documentation.changed(ManagedPromoCodeModel, PROMO_CODE | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_promo_code(request: Request, caller: Manager) -> Response:
    """Put a promo code away for ever. Its name stays taken."""
    return await _move(request, caller, service.archive)


async def _move(request: Request, caller: Manager, move: Callable[..., Awaitable[ManagedPromoCode]]) -> Response:
    target = if_match.target(request, ID)

    async def moved() -> dict[str, Any]:
        return present(await move(caller.work, target, now=caller.now))

    return await responses.once(request, caller, moved)


def as_draft(reading: ParsedRequest) -> PromoCodeDraft:
    """The promo code that a body asks for."""
    return PromoCodeDraft(**reading.draft())


def present(code: ManagedPromoCode) -> dict[str, Any]:
    """A promo code as it is told; what it does not have is absent."""
    body = {
        "id": code.id,
        "name": code.name,
        "status": code.status,
        "discountPercent": code.discount_percent,
        "flatDiscount": code.flat_discount,
        "storeExamCodes": code.store_exam_codes,
        "productBundleIds": code.product_bundle_ids,
        "restrictToEmailAddresses": code.restrict_to_email_addresses,
        "emailAddresses": code.email_addresses,
        "expiresAt": code.expires_at,
        "maxRedemptions": code.max_redemptions,
        "maxRedemptionsPerCandidate": code.max_redemptions_per_candidate,
        "redemptionCount": code.redemption_count,
        "notes": code.notes,
        "batchId": code.batch_id,
        "createdAt": code.created_at,
        "version": code.version,
    }
    return {name: value for name, value in body.items() if value is not None}
