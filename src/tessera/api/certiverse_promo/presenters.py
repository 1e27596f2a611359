"""Promo codes in the format of the Certiverse Promo Code API."""

from datetime import datetime
from typing import Any

from tessera.api.http.json import JsonResponse
from tessera.kit.db.json_projection import JsonProjection, Time
from tessera.promo_codes.service import ListedPromoCode

FIELDS: dict[str, str | Time] = {
    "storeExamCodes": "store_exam_codes",
    "discountPercent": "discount_percent",
    "emailAddresses": "email_addresses",
    "expirationDateEndUtc": Time("expires_at", zone=""),
    "maxRedemptions": "max_redemptions",
    "maxRedemptionsPerCandidate": "max_redemptions_per_candidate",
    "notes": "notes",
    "promoCodeName": "name",
    "redemptionCount": "redemption_count",
    "restrictToEmailAddresses": "restrict_to_email_addresses",
}
# The JSON that the database writes for each promo code of a page.
LISTED = JsonProjection(FIELDS)


def created_response(code: ListedPromoCode) -> tuple[int, bytes]:
    """Status and body of the response to the request that created the promo code."""
    members = {name: _value(code, field) for name, field in FIELDS.items()}
    return 201, bytes(JsonResponse({name: value for name, value in members.items() if value is not None}).body)


def _value(code: ListedPromoCode, field: str | Time) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(field, Time):
        moment: datetime = getattr(code, field.field)
        return moment.replace(tzinfo=None)
    return getattr(code, field)
