"""The CareValidate promo-code validation: GET /api/v1/promo-codes."""

from fastapi import APIRouter, Request, Response

from tessera.api.carevalidate import documentation, operations
from tessera.api.http import openapi
from tessera.api.serving import budgets
from tessera.api.serving.dependencies import run

router = APIRouter(tags=["CareValidate"])


@router.get(
    operations.VALIDATE.route.path,
    operation_id="validatePromoCode",
    summary="Validate a promo code",
    responses=documentation.VALIDATE,
    openapi_extra={"security": openapi.API_KEY, "parameters": [*documentation.PARAMETERS, budgets.PARAMETER]},
)
async def validate_promo_code(request: Request) -> Response:
    """Check whether a promo code can be used now, and return its discount, flat or percent.

    Your organization's promo codes take precedence over global codes with the same name. A code applies to a product
    bundle if it names the bundle, names an exam in it, or names neither bundles nor exams. Validation changes nothing.
    """
    return await run(request, operations.VALIDATE)
