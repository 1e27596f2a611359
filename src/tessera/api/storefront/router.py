"""The storefront API: /storefront/v1."""

from typing import Any

from fastapi import APIRouter, Request

from tessera.api import openapi
from tessera.api.answers import JsonAnswer
from tessera.api.reading import Reading, read_body
from tessera.api.storefront import documentation
from tessera.api.storefront.auth import Storefront
from tessera.api.storefront.schemas import ValidationRequest
from tessera.kit.errors import Invalid, Violation
from tessera.redemptions import service
from tessera.redemptions.service import Assessment, CandidateEmail, ProductChoice

router = APIRouter(prefix="/storefront/v1", tags=["Storefront"])


@router.post(
    "/validations",
    operation_id="validateCodes",
    summary="Validate codes with reasons and prices",
    responses=documentation.VALIDATE,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "requestBody": openapi.json_body(ValidationRequest, documentation.REQUEST),
    },
)
async def validate_codes(request: Request, caller: Storefront) -> JsonAnswer:
    """What 1 to 1,000 codes are worth for an exam or a bundle: valid or not, every rule that each breaks, and prices.

    Promo codes, global ones included, and vouchers alike. It changes nothing. The rules are those by which
    `GET /api/v1/promo-codes` answers.
    """
    wanted = _complete(await read_body(request, ValidationRequest))
    candidate = wanted.get("candidate")
    assessments = await service.assess_all(
        caller.work,
        wanted["codes"],
        product=ProductChoice(
            store_exam_code=wanted.get("store_exam_code"), product_bundle_id=wanted.get("product_bundle_id")
        ),
        candidate=CandidateEmail(candidate.email) if candidate else None,
        now=wanted.get("as_of", caller.now),
    )
    return JsonAnswer({"results": [_present(assessment) for assessment in assessments]})


def _complete(reading: Reading) -> dict[str, Any]:
    refused = list(reading.refused)
    named = {"store_exam_code", "product_bundle_id"} & {*reading.values, *(each.field for each in refused)}
    if len(named) != 1:
        refused.append(
            Violation("OneProduct", "store_exam_code", "or productBundleId must be given, and not both of them")
        )
    if refused:
        raise Invalid(refused)
    return reading.values


def _present(assessment: Assessment) -> dict[str, Any]:
    return {
        "code": assessment.code,
        "kind": assessment.kind,
        "isValid": not assessment.reasons,
        "reasons": [{"code": each.code, "message": f"The code {each.message}."} for each in assessment.reasons],
        "remainingUses": assessment.remaining,
        "validUntil": assessment.expires_at,
        "listPrice": assessment.price.listed,
        "discount": assessment.price.discount,
        "finalPrice": assessment.price.final,
    }
