"""The storefront API: /storefront/v1, codes before they are used."""

from fastapi import APIRouter, Request

from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_body
from tessera.api.serving.dependencies import StorefrontCaller
from tessera.api.storefront import documentation, presenters
from tessera.api.storefront.products import read_product
from tessera.api.storefront.schemas import ValidationRequest
from tessera.redemptions import validate
from tessera.redemptions.validate import AskedCandidate, Refused

router = APIRouter(prefix="/storefront/v1", tags=["Storefront"])


@router.post(
    "/validations",
    operation_id="validateCodes",
    summary="Validate codes with reasons and prices",
    responses=documentation.VALIDATE,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "requestBody": openapi.json_body(ValidationRequest, documentation.VALIDATION),
    },
)
async def validate_codes(request: Request, caller: StorefrontCaller) -> JsonResponse:
    """What 1 to 1,000 codes are worth for an exam or a bundle: valid or not, every rule that each breaks, and prices.

    Promo codes, global ones included, and vouchers alike; held uses count as used. It changes nothing. The rules are
    those by which codes are redeemed and `GET /api/v1/promo-codes` answers.
    """
    reading = await read_body(request, ValidationRequest)
    product = read_product(reading)
    if isinstance(product, Refused):
        (everything,) = await validate.refuse_all(caller.work, [product])
        raise everything
    wanted = reading.values
    candidate = wanted.get("candidate")
    assessments = await validate.assess_all(
        caller.work,
        wanted["codes"],
        product=product,
        candidate=AskedCandidate(candidate.person_id, candidate.email) if candidate else None,
        now=wanted.get("as_of", caller.now),
    )
    return JsonResponse({"results": [presenters.assessment(each) for each in assessments]})
