"""OpenAPI documentation of the CareValidate promo-code validation."""

from typing import Any

from tessera.api.carevalidate.schemas import (
    CareValidateFailureModel,
    CareValidateResultModel,
    CareValidateUnauthorizedModel,
)
from tessera.api.http.openapi import response
from tessera.kit.errors import DatabaseUnavailable

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "code",
        "in": "query",
        "required": True,
        "description": "The promo code to validate (not case-sensitive).",
        "schema": {"type": "string"},
        "example": "PER10",
    },
    {
        "name": "product_bundle_id",
        "in": "query",
        "required": False,
        "description": "The product bundle to validate against; without it, applicability is not checked.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
    },
]


def _failure(description: str, *, headers: dict[str, str] | None = None, **messages: str) -> dict[str, Any]:
    examples = {name: {"success": False, "message": text} for name, text in messages.items()}
    return response(CareValidateFailureModel, description, headers=headers, **examples)


VALIDATE: dict[int | str, Any] = {
    200: response(
        CareValidateResultModel,
        "The code exists. `data` has one entry if the code can be used now, and is empty otherwise.",
        flat={"success": True, "data": [{"flatDiscount": 10.00}]},
        percent={"success": True, "data": [{"percentDiscount": 15}]},
        unusable={"success": False, "data": []},
    ),
    400: _failure(
        "A parameter is missing or malformed.",
        missing="Promo code is required",
        bundle="Invalid product bundle ID format",
        malformed="The query string is not valid UTF-8.",
    ),
    401: response(
        CareValidateUnauthorizedModel, "The key is missing or unknown.", key={"status": 401, "error": "Invalid API key"}
    ),
    404: _failure("The code does not exist.", unknown="Promo code not found!"),
    429: _failure(
        "The key has guessed at too many codes, or a wrong key was sent too often.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        budget="Too many requests",
    ),
    500: _failure("Internal server error. The server's log has the details.", error="Internal server error"),
    503: _failure(
        "The database is unavailable.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        unavailable=DatabaseUnavailable().message,
    ),
}
