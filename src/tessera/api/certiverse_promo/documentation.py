"""The Certiverse Promo Code API as the OpenAPI document describes it."""

from typing import Any

from tessera.api import certiverse
from tessera.api.certiverse_promo.schemas import PromoCodeModel, PromoCodePage
from tessera.api.openapi import answer

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

LIST: dict[int | str, Any] = {
    200: answer(PromoCodePage, "A page of promo codes.", {"data": [PROMO_CODE], "nextLink": _NEXT})
    | {"headers": {"Link": {"description": "The same link (RFC 8288).", "schema": {"type": "string"}}}},
    400: certiverse.documented_error(
        400,
        "A parameter is wrong, or the query matches more than 10,000 records (`TooManyResults`).",
        "ValidationFailed",
        "emailAddress can only be used with restrictToEmailAddresses=true.",
        "status must be one of Inactive, Active, Archived.",
    ),
    **certiverse.documented(401, 413, 500, 503),
}
CREATE: dict[int | str, Any] = {
    201: answer(PromoCodeModel, "The promo code was created.", PROMO_CODE),
    400: certiverse.documented_error(
        400,
        "The body breaks rules; every one is named, in the order of the fields.",
        "ValidationFailed",
        "storeExamCodes must contain at least one store exam code.",
        "promoCodeName must be unique, and 'SPRING25' is taken.",
    ),
    **certiverse.documented(401, 413, 415, 500, 503),
}
