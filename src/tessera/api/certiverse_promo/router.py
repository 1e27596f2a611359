"""The Certiverse Promo Code API: GET and POST /promo-codes."""

from fastapi import APIRouter, Request, Response

from tessera.api.certiverse_promo import documentation, operations
from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.http import openapi
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import run

router = APIRouter(tags=["Certiverse Promo Code API"])


@router.get(
    "/promo-codes",
    operation_id="listPromoCodes",
    summary="List promo codes",
    responses=documentation.LIST,
    openapi_extra={"security": openapi.BEARER, "parameters": openapi.parameters(PromoCodeQuery)},
)
async def list_promo_codes(request: Request) -> Response:
    """Your organization's promo codes, oldest first, 100 a page; filters may be combined.

    A query that matches more than 10,000 records is an error; refine it using filters. The list contains only codes
    that have a percentage, store exams, an expiry and a total limit.
    """
    return await run(request, operations.LIST)


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
    """Create a promo code, which candidates can use while it is active.

    Names are alphanumeric, 3 to 25 characters, and unique within the organization. At least one store exam code is
    required. The status is Inactive unless `isActive` is true. If `restrictToEmailAddresses` is true,
    `emailAddresses` is required.
    """
    return await run(request, operations.CREATE)
