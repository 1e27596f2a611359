"""The Certiverse Promo Code API: GET and POST /promo-codes."""

from fastapi import APIRouter, Request, Response

from tessera.api.certiverse_promo import documentation
from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse, json_array
from tessera.api.http.parsing import read_body, read_query
from tessera.api.serving import idempotency
from tessera.api.serving.callers import ask_as_bearer, resources_of
from tessera.api.serving.links import link_header, next_link
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.service import PromoCodeFilter

router = APIRouter(tags=["Certiverse Promo Code API"])


@router.get(
    "/promo-codes",
    operation_id="listPromoCodes",
    summary="List promo codes",
    responses=documentation.LIST,
    openapi_extra={"security": openapi.BEARER, "parameters": openapi.parameters(PromoCodeQuery)},
)
async def list_promo_codes(request: Request) -> JsonResponse:
    """Your organization's promo codes, oldest first, 100 a page; filters may be combined.

    A query that matches more than 10,000 records is refused: refine it using filters. It lists the codes that have a
    percentage and store exams.
    """
    page = await ask_as_bearer(request, resources_of(request).promo_code_pages, lambda: _wanted(request))
    following = next_link(request, number=page.number) if page.has_next else None
    body = {"data": json_array(page), "nextLink": following}
    return JsonResponse(body, headers=link_header(following) if following else None)


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
async def create_promo_code(request: Request) -> Response:
    """Create a promo code that candidates can use from now on, or once it is active.

    Names are alphanumeric, 3 to 25 characters, and unique within the organization. At least one store exam code must
    be given. The status is Inactive unless `isActive` is true. If `restrictToEmailAddresses` is true,
    `emailAddresses` is required.
    """

    async def draft() -> PromoCodeDraft:
        return PromoCodeDraft(**(await read_body(request, PromoCodeCreateCommand)).draft())

    return await idempotency.once_among_others(request, resources_of(request).creations, draft)


def _wanted(request: Request) -> tuple[PromoCodeFilter, int]:
    reading = read_query(request, PromoCodeQuery)
    number = reading.values.pop("page", 1)
    wanted = PromoCodeFilter(**reading.values)
    refused = [*reading.violations]
    if wanted.email_address is not None and wanted.restrict_to_email_addresses is not True:
        refused.append(
            Violation("NeedsRestriction", "email_address", "can only be used with restrictToEmailAddresses=true")
        )
    if refused:
        raise Invalid(refused)
    return wanted, number
