"""Promo codes in the words of the Certiverse Promo Code API."""

from typing import Any

from tessera.api.answers import JsonAnswer
from tessera.promo_codes.service import ListedPromoCode


def promo_code(code: ListedPromoCode) -> dict[str, Any]:
    """A promo code as it is listed, and as it is answered when it was created."""
    optional = {"maxRedemptionsPerCandidate": code.max_redemptions_per_candidate, "notes": code.notes}
    return {
        "storeExamCodes": code.store_exam_codes,
        "discountPercent": code.discount_percent,
        "emailAddresses": code.email_addresses,
        "expirationDateEndUtc": code.expires_at.replace(tzinfo=None),
        "maxRedemptions": code.max_redemptions,
        **{name: value for name, value in optional.items() if value is not None},
        "promoCodeName": code.name,
        "redemptionCount": code.redemption_count,
        "restrictToEmailAddresses": code.restrict_to_email_addresses,
    }


def created_answer(code: ListedPromoCode) -> tuple[int, bytes]:
    """Status and body of the answer to the request that created it."""
    return 201, bytes(JsonAnswer(promo_code(code)).body)
