"""Assessments, redemptions and reservations as the storefront API shows them."""

from datetime import datetime, timedelta
from typing import Any

from tessera.api.http.json import JsonResponse
from tessera.codes.rules import Reason
from tessera.kit.errors import Violation
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.reservations.service import Booking
from tessera.redemptions.validate import Assessment, CodeKind


def assessment(found: Assessment) -> dict[str, Any]:
    """The assessment of one code."""
    return {
        "code": found.code,
        "kind": found.kind,
        "isValid": not found.reasons,
        "reasons": [reason(each) for each in found.reasons],
        "remainingUses": found.remaining,
        "validUntil": found.expires_at,
        "listPrice": found.price.list_price,
        "discount": found.price.discount,
        "finalPrice": found.price.final,
    }


def reason(broken: Violation) -> dict[str, Any]:
    """A reason why a code cannot be used."""
    waits = broken if isinstance(broken, Reason) else None
    return {
        "code": broken.code,
        "message": f"The {'reservation' if broken.field == 'reservation_code' else 'code'} {broken.message}.",
        "remainingUses": waits and waits.remaining,
        "validFrom": waits and waits.valid_from and _second_from(waits.valid_from),
    }


def _second_from(moment: datetime) -> datetime:
    # Responses have whole seconds. Rounded down, it would be a time at which the code still cannot be used.
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


def redemption(found: Redemption) -> dict[str, Any]:
    """A redemption."""
    return {
        "id": found.id,
        "status": found.status,
        "code": found.code,
        "kind": CodeKind.VOUCHER if found.voucher_id else CodeKind.PROMO_CODE,
        "reservationCode": found.reservation_code,
        "reservationStatus": found.reservation_status,
        "storeExamCode": found.store_exam_code,
        "productBundleId": found.product_bundle_id,
        "candidate": {
            "personId": found.person_id,
            "clientCandidateId": found.client_candidate_id,
            "firstName": found.first_name,
            "lastName": found.last_name,
            "email": found.email,
        },
        "listPrice": found.list_price,
        "discount": found.discount,
        "finalPrice": found.list_price - found.discount,
        "heldUntil": found.held_until,
        "createdAt": found.created_at,
        "updatedAt": found.updated_at,
    }


def redemption_response(created: Redemption) -> tuple[int, bytes]:
    """Status and body of the response to a request to redeem, the first one or a repeated one."""
    response = JsonResponse(redemption(created), 201)
    return response.status_code, bytes(response.body)


def reservation(found: Booking) -> dict[str, Any]:
    """A reservation with its redemptions."""
    return {
        "reservationCode": found.reservation.code,
        "status": found.reservation.status,
        "redemptions": [redemption(each) for each in found.redemptions],
    }
