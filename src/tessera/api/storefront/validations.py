"""The storefront API: validation of codes under /storefront/v1."""

from fastapi import APIRouter, Request

from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_body
from tessera.api.serving import budgets
from tessera.api.serving.dependencies import CodeAsker
from tessera.api.serving.resources import resources_of
from tessera.api.storefront import documentation, presenters
from tessera.api.storefront.products import read_product
from tessera.api.storefront.schemas import CodeValidationRequest
from tessera.redemptions import validate
from tessera.redemptions.validate import MalformedRequest, PartialCandidate

router = APIRouter(prefix="/storefront/v1", tags=["Storefront"])


@router.post(
    "/validations",
    operation_id="validateCodes",
    summary="Validate codes with reasons and prices",
    responses=documentation.VALIDATE,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "parameters": [budgets.PARAMETER],
        "requestBody": openapi.json_body(CodeValidationRequest, documentation.VALIDATION),
    },
)
async def validate_codes(request: Request, caller: CodeAsker) -> JsonResponse:
    """Assess 1 to 1,000 promo codes and vouchers for an exam or a bundle: validity, reasons, discount and price.

    Global promo codes are included, and held uses count as uses. Validation changes nothing. Redemptions and
    `GET /api/v1/promo-codes` follow the same rules.
    """
    parsed_request = await read_body(request, CodeValidationRequest)
    product = read_product(parsed_request)
    if isinstance(product, MalformedRequest):
        (error,) = await validate.reject_all(caller.work, [product])
        raise error
    values = parsed_request.values
    candidate = values.get("candidate")
    assessments = await validate.assess_all(
        caller.work,
        values["codes"],
        product=product,
        candidate=PartialCandidate(candidate.person_id, candidate.email) if candidate else None,
        reservation_code=values.get("reservation_code"),
        now=values.get("as_of", caller.now),
    )
    misses = sum(assessment.kind is None for assessment in assessments)
    resources_of(request).pipeline.count_misses(request, misses)
    return JsonResponse({"results": [presenters.assessment(item) for item in assessments]})
