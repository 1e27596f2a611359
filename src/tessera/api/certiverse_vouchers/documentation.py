"""OpenAPI documentation of the Certiverse Voucher Partner API."""

from typing import Any

from tessera.api.certiverse_vouchers.schemas import (
    PartnerVoucherPage,
    PartnerVoucherPartnerPage,
    PartnerVoucherProgramPage,
    PartnerVoucherPurchaseModel,
    PartnerVoucherPurchasePage,
)
from tessera.api.error_rendering import certiverse
from tessera.api.http.fields import ResponseModel
from tessera.api.http.openapi import header, response
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.pages import MAX_RESULTS
from tessera.kit.errors import LacksFunctionPoint, TooManyResults

REQUEST = {
    "notes": "Q2 employee certification batch",
    "partnerName": "Acme Corp",
    "programName": "Spring Certification Drive",
    "quantity": 50,
}
_ID = "01988e2b-7c00-7a11-8f52-3b1f0c6d2e90"
_PARTNER = {
    "id": _ID,
    "isActive": True,
    "isArchived": False,
    "name": "Acme Corp",
    "users": [{"email": "ada@example.com", "isActive": True, "status": "Active"}],
}
_PROGRAM = {
    "allowAchPayments": True,
    "discounts": [{"id": _ID, "percent": 12.5, "quantity": 100}],
    "expirationPeriodInDays": 365,
    "id": _ID,
    "isActive": True,
    "isArchived": False,
    "isInactive": False,
    "name": "Spring Certification Drive",
    "partners": {
        "assignedPartners": [{"id": _ID, "name": "Acme Corp"}],
        "canAssignedPartnersPurchaseZeroPrice": True,
        "isAvailableToAllVoucherPartners": False,
        "partnerCostPerVoucher": 49.5,
    },
    "restrictions": {
        "emailDomainRestrictions": [{"id": _ID, "domain": "example.com"}],
        "enforceAssignedEmailToBookExam": True,
    },
    "storeExams": [{"code": "NCA-GENL", "id": _ID, "name": "Generative AI Fundamentals", "price": 135.0}],
    "voucherCodePrefix": "SPRING-",
}
_PURCHASE = {
    "amountPaid": 0,
    "id": _ID,
    "isArchived": False,
    "notes": "Q2 employee certification batch",
    "partnerName": "Acme Corp",
    "programName": "Spring Certification Drive",
    "purchaseDateUtc": "2026-04-01T09:30:00Z",
    "purchasedByFirstName": "Certiverse",
    "purchasedByLastName": "API",
    "quantity": 50,
    "quantityRemaining": 50,
    "quantityUsed": 0,
    "status": "VoucherCreation",
    "voucherPurchaseCode": "VP-7K2M9QXA4T",
}
_VOUCHER = {
    "assignedDateUtc": "2026-04-02T08:00:00Z",
    "expirationDateUtc": "2027-04-01T09:30:00Z",
    "id": _ID,
    "isActive": True,
    "isUsed": True,
    "recipientEmail": "ada@example.com",
    "reservationCode": "RSV-1001",
    "reservationStatus": "Created",
    "storeExamCode": "NCA-GENL",
    "usedBy": {
        "clientCandidateId": "C-17",
        "firstName": "Ada",
        "lastName": "Byron",
        "personId": "P-4711",
        "usedDateUtc": "2026-04-03T10:00:00Z",
    },
    "voucherCode": "SPRING-4H7KQ2M",
    "voucherPurchaseCode": "VP-7K2M9QXA4T",
}
_NOT_ALLOWED = certiverse.documented_error(
    401, FunctionPointMissing=[LacksFunctionPoint(FunctionPoint.PARTNER_MANAGE_VOUCHERS).message]
)
_TOO_MANY = certiverse.documented_error(
    422, "Exceeded the 10,000 record limit.", "TooManyResults", TooManyResults(MAX_RESULTS).message
)
_FILTER_REQUIRED = "At least one of partnerName, programName, purchaseCode, purchasedByEmail, status is required."


def _list(
    model: type[ResponseModel], path: str, item: dict[str, Any], bad_request: dict[str, Any]
) -> dict[int | str, Any]:
    next_link = f"https://tessera.example.com/api/vouchers{path}page=2"
    return {
        200: response(model, "A page of the list.", {"data": [item], "nextLink": next_link})
        | {"headers": {"Link": header("The same link (RFC 8288); absent on the last page.")}},
        400: bad_request,
        401: _NOT_ALLOWED,
        422: _TOO_MANY,
        **certiverse.documented(429, 500, 503),
    }


PARTNERS = _list(
    PartnerVoucherPartnerPage,
    "/partners?",
    _PARTNER,
    certiverse.documented_error(
        400, "A parameter is invalid.", "ValidationFailed", "status must be one of Active, Inactive, Archived."
    ),
)
PROGRAMS = _list(
    PartnerVoucherProgramPage,
    "/programs?",
    _PROGRAM,
    certiverse.documented_error(400, "A parameter is invalid.", "ValidationFailed", "page must be a positive integer."),
)
PURCHASES = _list(
    PartnerVoucherPurchasePage,
    "/purchases?status=Complete&",
    _PURCHASE | {"status": "Complete"},
    certiverse.documented_error(
        400,
        "A parameter is invalid, or the filter is missing.",
        "ValidationFailed",
        "purchasedByEmail must be a valid e-mail address.",
        FilterRequired=[_FILTER_REQUIRED],
    ),
)
VOUCHERS = _list(
    PartnerVoucherPage,
    "?isUsed=true&",
    _VOUCHER,
    certiverse.documented_error(
        400,
        "A parameter is invalid, or the filter is missing.",
        "ValidationFailed",
        "isUsed must be true or false.",
        FilterRequired=["At least one of isActive, isUsed, purchaseCode, recipientEmail, ... is required."],
    ),
)
CREATE: dict[int | str, Any] = {
    200: response(PartnerVoucherPurchaseModel, "The purchase was created.", _PURCHASE),
    400: certiverse.documented_error(
        400,
        "The body is invalid, or names a partner or program that cannot be used. `errorMessages` has every violation.",
        "ValidationFailed",
        "partnerName was not found: 'Acme'.",
        "programName must name a program that is priced at $0.",
        MalformedRequest=["The request body is not valid JSON."],
    ),
    401: _NOT_ALLOWED,
    **certiverse.idempotency_documented(),
    **certiverse.documented(413, 415, 429, 500, 503),
}
