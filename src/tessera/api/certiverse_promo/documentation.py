"""OpenAPI documentation of the Certiverse Promo Code API."""

from typing import Any

from tessera.api.certiverse_promo.schemas import PromoCodeModel, PromoCodePage
from tessera.api.error_rendering import certiverse
from tessera.api.http.openapi import header, response
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.pages import MAX_RESULTS
from tessera.kit.errors import LacksFunctionPoint, TooManyResults

REQUEST = {
    "storeExamCodes": ["NCA-GENL"],
    "discountPercent": 25,
    "expirationDateUtc": "2030-01-01T00:00:00",
    "maxRedemptions": 500,
    "promoCodeName": "SPRING25",
    "emailAddresses": ["ada@example.com"],
    "isActive": True,
    "maxRedemptionsPerCandidate": 1,
    "notes": "Spring campaign",
    "restrictToEmailAddresses": True,
}
PROMO_CODE = {
    "storeExamCodes": ["NCA-GENL"],
    "discountPercent": 25,
    "emailAddresses": ["ada@example.com"],
    "expirationDateEndUtc": "2030-01-01T00:00:00",
    "maxRedemptions": 500,
    "maxRedemptionsPerCandidate": 1,
    "notes": "Spring campaign",
    "promoCodeName": "SPRING25",
    "redemptionCount": 0,
    "restrictToEmailAddresses": True,
}
_NEXT = "https://tessera.example.com/promo-codes?status=Active&page=2"
_NOT_ALLOWED = certiverse.documented_error(
    401, FunctionPointMissing=[LacksFunctionPoint(FunctionPoint.PARTNER_MANAGE_PROMO_CODES).message]
)

LIST: dict[int | str, Any] = {
    200: response(PromoCodePage, "A page of promo codes.", {"data": [PROMO_CODE], "nextLink": _NEXT})
    | {"headers": {"Link": header("The same link (RFC 8288); absent on the last page.")}},
    400: certiverse.documented_error(
        400,
        "A parameter is invalid, or the query matches more than 10,000 records (`TooManyResults`).",
        "ValidationFailed",
        "emailAddress can only be used with restrictToEmailAddresses=true.",
        "status must be one of Inactive, Active, Archived.",
        TooManyResults=[TooManyResults(MAX_RESULTS).message],
    ),
    401: _NOT_ALLOWED,
    **certiverse.documented(429, 500, 503),
}
CREATE: dict[int | str, Any] = {
    201: response(PromoCodeModel, "The promo code was created.", created=PROMO_CODE),
    400: certiverse.documented_error(
        400,
        "The body is invalid. `errorMessages` has every violation, in the order of the fields.",
        "ValidationFailed",
        "storeExamCodes must contain at least one store exam code.",
        "promoCodeName must be unique, and 'SPRING25' is taken.",
        MalformedRequest=["The request body is not valid JSON."],
    ),
    401: _NOT_ALLOWED,
    **certiverse.idempotency_documented(),
    **certiverse.documented(413, 415, 429, 500, 503),
}
