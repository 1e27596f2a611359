"""Partners, programs, purchases and vouchers in the format of the Certiverse Voucher Partner API."""

from typing import Any

import orjson

from tessera.api.http.json import JsonResponse
from tessera.kit.db.json_projection import JsonProjection, Time
from tessera.vouchers.partners.service import Partner
from tessera.vouchers.programs.service import Program
from tessera.vouchers.purchases.service import Purchase
from tessera.vouchers.rules import Status

# The users of a partner as the database writes them.
USER = JsonProjection({"email": "email", "isActive": "is_active", "status": "status"})


def partner(item: Partner) -> dict[str, Any]:
    """A PartnerVoucherPartnerModel."""
    return {
        "id": str(item.id),
        "isActive": item.status is Status.ACTIVE,
        "isArchived": item.status is Status.ARCHIVED,
        "name": item.name,
        "users": orjson.Fragment(f"[{item.users}]"),
    }


def program(item: Program) -> dict[str, Any]:
    """A PartnerVoucherProgramModel."""
    return {
        "allowAchPayments": item.allow_ach_payments,
        "discounts": [{"id": str(d.id), "percent": d.percent, "quantity": d.quantity} for d in item.discounts],
        "expirationPeriodInDays": item.expiration_period_in_days,
        "id": str(item.id),
        "isActive": item.status is Status.ACTIVE,
        "isArchived": item.status is Status.ARCHIVED,
        "isInactive": item.status is Status.INACTIVE,
        "name": item.name,
        "partners": {
            "assignedPartners": [{"id": str(p.id), "name": p.name} for p in item.assigned_partners],
            "canAssignedPartnersPurchaseZeroPrice": item.can_assigned_partners_purchase_zero_price,
            "isAvailableToAllVoucherPartners": item.is_available_to_all_partners,
            "partnerCostPerVoucher": item.partner_cost_per_voucher,
        },
        "restrictions": {
            "emailDomainRestrictions": [{"id": str(d.id), "domain": d.domain} for d in item.email_domains],
            "enforceAssignedEmailToBookExam": item.enforce_assigned_email,
        },
        "storeExams": [
            {"code": exam.code, "id": str(exam.id), "name": exam.name, "price": exam.price} for exam in item.store_exams
        ],
        "voucherCodePrefix": item.voucher_code_prefix,
    }


def purchase(item: Purchase) -> dict[str, Any]:
    """A PartnerVoucherPurchaseModel."""
    return {
        "amountPaid": item.amount_paid,
        "id": str(item.id),
        "isArchived": item.is_archived,
        "notes": item.notes,
        "partnerName": item.partner_name,
        "programName": item.program_name,
        "purchaseDateUtc": item.purchased_at,
        "purchasedByFirstName": item.purchased_by_first_name,
        "purchasedByLastName": item.purchased_by_last_name,
        "quantity": item.quantity,
        "quantityRemaining": item.quantity - item.quantity_used,
        "quantityUsed": item.quantity_used,
        "status": item.status,
        "voucherPurchaseCode": item.code,
    }


def purchase_response(item: Purchase) -> tuple[int, bytes]:
    """Status and body of the response to the request that created the purchase."""
    return 200, bytes(JsonResponse(purchase(item)).body)


# A PartnerVoucherModel as the database writes it, without fields that are null.
VOUCHER = JsonProjection(
    {
        "assignedDateUtc": Time("assigned_at"),
        "expirationDateUtc": Time("expires_at"),
        "id": "id",
        "isActive": "is_active",
        "isUsed": "is_used",
        "recipientEmail": "recipient_email",
        "reservationCode": "reservation_code",
        "reservationStatus": "reservation_status",
        "storeExamCode": "store_exam_code",
        "usedBy": JsonProjection(
            {
                "clientCandidateId": "used_by_client_candidate_id",
                "firstName": "used_by_first_name",
                "lastName": "used_by_last_name",
                "personId": "used_by_person_id",
                "usedDateUtc": Time("used_at"),
            },
            only_if="is_used",
        ),
        "voucherCode": "code",
        "voucherPurchaseCode": "purchase_code",
    }
)
