"""The Certiverse Promo Code API: GET and POST /promo-codes."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api import idempotency, openapi
from tessera.api.answers import JsonAnswer
from tessera.api.certiverse_promo import documentation
from tessera.api.certiverse_promo.auth import PromoCodeManager
from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.links import link_header, next_link
from tessera.api.reading import Reading, read_body, read_query
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes import service
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.service import ListedPromoCode, PromoCodeFilter

router = APIRouter(tags=["Certiverse Promo Code API"])


@router.get(
    "/promo-codes",
    operation_id="listPromoCodes",
    summary="List promo codes",
    responses=documentation.LIST,
    openapi_extra={"security": openapi.BEARER, "parameters": openapi.parameters(PromoCodeQuery)},
)
async def list_promo_codes(request: Request, caller: PromoCodeManager) -> JsonAnswer:
    """Your organization's promo codes, oldest first, 100 a page; filters may be combined.

    A query that matches more than 10,000 records is refused: refine it using filters. It lists the codes that have a
    percentage and store exams.
    """
    wanted, number = _wanted(read_query(request, PromoCodeQuery))
    page = await service.list_page(caller.work, wanted=wanted, number=number)
    following = next_link(request, number=number) if page.has_next else None
    body = {"data": [_present(code) for code in page.items], "nextLink": following}
    return JsonAnswer(body, headers=link_header(following) if following else None)


@router.post(
    "/promo-codes",
    operation_id="createPromoCode",
    summary="Create a promo code",
    status_code=201,
    responses=documentation.CREATE,
    openapi_extra={
        "security": openapi.BEARER,
        "parameters": [idempotency.PARAMETER],
        "requestBody": openapi.json_body(PromoCodeCreateCommand, documentation.REQUEST),
    },
)
async def create_promo_code(request: Request, caller: PromoCodeManager) -> Response:
    """Create a promo code that candidates can use from now on, or once it is active.

    Names are alphanumeric, 3 to 25 characters, and unique within the organization. At least one store exam code must
    be given. The status is Inactive unless `isActive` is true. If `restrictToEmailAddresses` is true,
    `emailAddresses` is required.
    """
    reading = await read_body(request, PromoCodeCreateCommand)
    unreadable = dict.fromkeys((violation.field for violation in reading.refused), None)
    draft = PromoCodeDraft(**reading.values | unreadable, refused=tuple(reading.refused))

    async def create() -> JsonAnswer:
        return JsonAnswer(_present(await service.create(caller.work, draft=draft, now=caller.now)), 201)

    return await idempotency.once(request, caller, create)


def _wanted(reading: Reading) -> tuple[PromoCodeFilter, int]:
    number = reading.values.pop("page", 1)
    wanted = PromoCodeFilter(**reading.values)
    refused = [*reading.refused]
    if wanted.email_address is not None and wanted.restrict_to_email_addresses is not True:
        refused.append(
            Violation("NeedsRestriction", "email_address", "can only be used with restrictToEmailAddresses=true")
        )
    if refused:
        raise Invalid(refused)
    return wanted, number


def _present(code: ListedPromoCode) -> dict[str, Any]:
    optional = {"maxRedemptionsPerCandidate": code.max_redemptions_per_candidate, "notes": code.notes}
    return {
        "storeExamCodes": code.store_exam_codes,
        "discountPercent": code.discount_percent,
        "emailAddresses": code.email_addresses,
        "expirationDateEndUtc": code.expires_at.replace(tzinfo=None),
        "maxRedemptions": code.max_redemptions,
        **{name: value for name, value in optional.items() if value is not None},
        "promoCodeName": code.name,
        "redemptionCount": code.redemption_count,
        "restrictToEmailAddresses": code.restrict_to_email_addresses,
    }
