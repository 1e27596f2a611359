"""The CareValidate promo-code validation: GET /api/v1/promo-codes."""

import re
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tessera.api import openapi
from tessera.api.carevalidate import documentation
from tessera.api.carevalidate.errors import BundleIdMalformed, CodeMissing
from tessera.api.deps import resources_of
from tessera.api.facts import Malformed
from tessera.api.reading import query_items
from tessera.identity.credentials import ApiKeyText, parse_key
from tessera.kit.errors import Fact, NotAuthenticated
from tessera.promo_codes.service import PromoCodeNotFound, Question, Validation

router = APIRouter(tags=["CareValidate"])

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UNUSABLE = b'{"success":false,"data":[]}'


@router.get(
    "/api/v1/promo-codes",
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
    key = parse_key(request.headers.get("cv-api-key", ""))
    request.state.organization_id = str(key.name.organization_id)
    asked = _question(request, key)
    # A wrong question is asked all the same, for the key: without a good one, nothing else is told.
    question = Question(key, None, None) if isinstance(asked, Fact) else asked
    found = await resources_of(request).validations.ask(question)
    if isinstance(asked, Fact) and not isinstance(found, NotAuthenticated):
        raise asked
    if isinstance(found, Fact):
        raise found
    return Response(_body(found), media_type="application/json")


def _question(request: Request, key: ApiKeyText) -> Question | Fact:
    try:
        given = dict(query_items(request))
    except Malformed as fact:
        return fact
    code, bundle_id = given.get("code", "").strip(), given.get("product_bundle_id", "").strip()
    if not code:
        return CodeMissing()
    if bundle_id and not _UUID.fullmatch(bundle_id):
        return BundleIdMalformed()
    # Postgres knows no NUL in text, so no code has one.
    return PromoCodeNotFound() if "\0" in code else Question(key, code, UUID(bundle_id) if bundle_id else None)


def _body(validation: Validation) -> bytes:
    if validation.reasons:
        return _UNUSABLE
    flat, percent = validation.discount.flat, validation.discount.percent
    discount = f'"flatDiscount":{flat}' if flat is not None else f'"percentDiscount":{percent}'
    return f'{{"success":true,"data":[{{{discount}}}]}}'.encode()
