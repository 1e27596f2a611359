"""Assessments, redemptions and reservations in the format of the storefront API."""

from datetime import datetime, timedelta
from typing import Any

from tessera.api.http.json import JsonResponse
from tessera.codes.rules import Reason
from tessera.identity.rules import Principal
from tessera.kit.errors import Violation
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.reservations.service import Booking
from tessera.redemptions.validate import Assessment, CodeKind


def assessment(item: Assessment) -> dict[str, Any]:
    """A CodeAssessmentModel."""
    return {
        "code": item.code,
        "kind": item.kind,
        "isValid": not item.reasons,
        "reasons": [reason(violation) for violation in item.reasons],
        "remainingUses": item.remaining,
        "validUntil": item.expires_at,
        "listPrice": item.price.list_price,
        "discount": item.price.discount,
        "finalPrice": item.price.final,
    }


def reason(violation: Violation) -> dict[str, Any]:
    """A CodeReasonModel."""
    details = violation if isinstance(violation, Reason) else None
    return {
        "code": violation.code,
        "message": f"The {'reservation' if violation.field == 'reservation_code' else 'code'} {violation.message}.",
        "remainingUses": details and details.remaining,
        "validFrom": details and details.valid_from and _round_up(details.valid_from),
    }


def _round_up(moment: datetime) -> datetime:
    # Responses have whole seconds. If the time was rounded down, the code could not yet be used at that time.
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


def visible_redemption(item: Redemption, caller: Principal) -> dict[str, Any]:
    """A RedemptionModel; the code of a voucher is masked if another credential has redeemed it."""
    return redemption(item if item.made_by == caller.family_id else item.masked)


def redemption(item: Redemption) -> dict[str, Any]:
    """A RedemptionModel with the code, for the caller that has just sent it."""
    return {
        "id": item.id,
        "status": item.status,
        "code": item.code,
        "kind": CodeKind.VOUCHER if item.voucher_id else CodeKind.PROMO_CODE,
        "reservationCode": item.reservation_code,
        "reservationStatus": item.reservation_status,
        "storeExamCode": item.store_exam_code,
        "productBundleId": item.product_bundle_id,
        "candidate": {
            "personId": item.person_id,
            "clientCandidateId": item.client_candidate_id,
            "firstName": item.first_name,
            "lastName": item.last_name,
            "email": item.email,
        },
        "listPrice": item.list_price,
        "discount": item.discount,
        "finalPrice": item.final_price,
        "madeBy": item.made_by,
        "heldUntil": item.held_until,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
        "metadata": item.metadata or {},
    }


def redemption_response(created: Redemption) -> tuple[int, bytes]:
    """Status and body of the response to a redemption request, whether it is the first or a repeated one."""
    response = JsonResponse(redemption(created), 201)
    return response.status_code, bytes(response.body)


def reservation(item: Booking, caller: Principal) -> dict[str, Any]:
    """A ReservationModel, with codes as `visible_redemption` shows them."""
    return {
        "reservationCode": item.reservation.code,
        "status": item.reservation.status,
        "redemptions": [visible_redemption(one, caller) for one in item.redemptions],
    }
