"""OpenAPI documentation of the storefront API."""

from typing import Any

from tessera.api.error_rendering import problem_details
from tessera.api.http.openapi import header, response
from tessera.api.storefront.problems import NotRedeemableProblemModel
from tessera.api.storefront.schemas import (
    CodeValidationModel,
    RedemptionModel,
    RedemptionPage,
    ReservationModel,
)

VALIDATION = {
    "codes": ["WELCOME", "SPRING-UNUSED", "BYGONE"],
    "storeExamCode": "NCA-GENL",
    "candidate": {"personId": "P-4711", "email": "ada@example.com"},
}
_RESULTS = [
    {
        "code": "WELCOME",
        "kind": "PromoCode",
        "isValid": True,
        "reasons": [],
        "remainingUses": 500,
        "validUntil": "2030-01-01T00:00:00Z",
        "listPrice": 135.0,
        "discount": 13.5,
        "finalPrice": 121.5,
    },
    {
        "code": "BYGONE",
        "kind": "PromoCode",
        "isValid": False,
        "reasons": [{"code": "Expired", "message": "The code has expired.", "remainingUses": None, "validFrom": None}],
        "remainingUses": 500,
        "validUntil": "2026-01-01T00:00:00Z",
        "listPrice": 135.0,
        "discount": 0.0,
        "finalPrice": 135.0,
    },
]

VALIDATE: dict[int | str, Any] = {
    200: response(CodeValidationModel, "The assessment of each code.", {"results": _RESULTS}),
    400: problem_details.documented_invalid("/codes/0", "NotCode", "codes/0 must be a string of 1 to 100 characters."),
    **problem_details.documented(401, 403, 413, 415, 429, 500, 503),
}

ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The redemption's id.",
    "schema": {"type": "string", "format": "uuid"},
    "example": "019ab0c4-7b7e-7c3a-9d0e-2f6f3a1b5c7d",
}
CODE: dict[str, Any] = {
    "name": "code",
    "in": "path",
    "required": True,
    "description": "The reservation's code.",
    "schema": {"type": "string", "minLength": 1},
    "example": "RSV-1001",
}
_CANDIDATE = {
    "personId": "P-4711",
    "clientCandidateId": "C-17",
    "firstName": "Ada",
    "lastName": "Byron",
    "email": "ada@example.com",
}
REDEMPTION = {
    "code": "WELCOME",
    "reservationCode": "RSV-2001",
    "storeExamCode": "NCA-GENL",
    "candidate": _CANDIDATE,
    "holdSeconds": 900,
}
RESERVATION = {"status": "Rescheduled", "reservationCode": "RSV-2002"}
_HELD = {
    "id": "019ab0c4-7b7e-7c3a-9d0e-2f6f3a1b5c7d",
    "status": "Held",
    "code": "WELCOME",
    "kind": "PromoCode",
    "reservationCode": "RSV-1001",
    "reservationStatus": "Created",
    "storeExamCode": "NCA-GENL",
    "productBundleId": None,
    "candidate": _CANDIDATE,
    "listPrice": 135.0,
    "discount": 13.5,
    "finalPrice": 121.5,
    "madeBy": "01a1f4bd-5a2b-7c11-9d2e-6f0b8a3c4d5e",
    "heldUntil": "2026-11-25T12:15:00Z",
    "createdAt": "2026-11-25T12:00:00Z",
    "updatedAt": "2026-11-25T12:00:00Z",
    "metadata": {},
}
_BOOKING = {"reservationCode": "RSV-1002", "status": "Rescheduled", "redemptions": [_HELD]}
_COMMON = problem_details.documented(401, 403, 429, 500, 503)
_WRITES = problem_details.documented(413, 422)
_USED_UP = {
    "pointer": "/code",
    "code": "UsedUp",
    "detail": "The code is used up.",
    "remainingUses": 0,
    "validFrom": "2026-11-25T12:15:00Z",
}

REDEEM: dict[int | str, Any] = {
    201: response(RedemptionModel, "The redemption, new or from an earlier identical request.", _HELD),
    400: problem_details.documented_invalid(
        "/holdSeconds", "HoldRange", "holdSeconds must be an integer from 1 to 604,800."
    ),
    409: problem_details.documented_conflict(
        "not-redeemable",
        "The code cannot be redeemed",
        "The code cannot be used, and `errors` has every reason; or another conflict.",
        model=NotRedeemableProblemModel.__name__,
        errors=[_USED_UP],
    ),
    **_COMMON,
    **_WRITES,
    **problem_details.documented(415),
}
_LINK = {"headers": {"Link": header("The same link (RFC 8288); absent on the last page.")}}
_PAGE = {"data": [_HELD], "nextLink": None, "nextCursor": None}
LIST: dict[int | str, Any] = {
    200: response(RedemptionPage, "A page of the list.", {"data": [_HELD], "nextLink": None, "nextCursor": None})
    | _LINK,
    400: problem_details.documented_invalid("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
    **_COMMON,
}
GET: dict[int | str, Any] = {
    200: response(RedemptionModel, "The redemption.", _HELD),
    400: problem_details.documented_unknown_parameter(),
    **_COMMON,
    **problem_details.documented(404),
}
_WRONG_STATE = problem_details.documented_conflict(
    "wrong-state",
    "Wrong state",
    "The current state, given in `state`, does not permit the operation.",
    state="Cancelled",
)
CHANGE: dict[int | str, Any] = {
    200: response(RedemptionModel, "The current representation.", _HELD | {"status": "Redeemed"}),
    **_COMMON,
    **_WRITES,
    **problem_details.documented(400, 404),
    409: _WRONG_STATE,
}
EXTENSION = {"holdSeconds": 900}
EXTEND: dict[int | str, Any] = {
    **CHANGE,
    200: response(RedemptionModel, "The current representation.", _HELD),
    400: problem_details.documented_invalid(
        "/holdSeconds", "HoldTooLong", "holdSeconds must end within 7 days of the start of the hold."
    ),
    **problem_details.documented(415),
}
GET_RESERVATION: dict[int | str, Any] = {
    200: response(ReservationModel, "The reservation.", _BOOKING),
    400: problem_details.documented_unknown_parameter(),
    **_COMMON,
    **problem_details.documented(404),
}
UPDATE_RESERVATION: dict[int | str, Any] = {
    200: response(ReservationModel, "The current representation.", _BOOKING),
    400: problem_details.documented_invalid(
        "/status", "NotAmongValues", "status must be one of Rescheduled, Completed, NoShow, Cancelled."
    ),
    **_COMMON,
    **_WRITES,
    **problem_details.documented(404, 415),
    409: _WRONG_STATE,
}
