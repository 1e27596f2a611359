"""The CareValidate promo-code validation: GET /api/v1/promo-codes."""

from fastapi import APIRouter, Request, Response

from tessera.api.carevalidate import documentation, operations
from tessera.api.http import openapi
from tessera.api.serving.dependencies import run

router = APIRouter(tags=["CareValidate"])


@router.get(
    operations.VALIDATE.route.path,
    operation_id="validatePromoCode",
    summary="Validate a promo code",
    responses=documentation.VALIDATE,
    openapi_extra={"security": openapi.API_KEY, "parameters": documentation.PARAMETERS},
)
async def validate_promo_code(request: Request) -> Response:
    """Whether a promo code can be used now, and the discount that it gives, flat or percent.

    Checks your organization's promo codes and the global ones; yours win where both have the name. A code applies to
    a product bundle if it names the bundle, or an exam in it, or neither bundles nor exams. Validation changes
    nothing.
    """
    return await run(request, operations.VALIDATE)
