"""The CareValidate promo-code validation as the OpenAPI document describes it."""

from typing import Any

from tessera.api.carevalidate.schemas import Failure, InvalidApiKey, ValidationResult
from tessera.api.openapi import answer

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "code",
        "in": "query",
        "required": True,
        "description": "The promo code to validate, in any case.",
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


def _failure(description: str, message: str, **others: str) -> dict[str, Any]:
    examples = {name: {"success": False, "message": words} for name, words in others.items()}
    return answer(Failure, description, {"success": False, "message": message}, **examples)


VALIDATE: dict[int | str, Any] = {
    200: answer(
        ValidationResult,
        "The code is known. `data` has one entry if it can be used now, and none if not.",
        {"success": True, "data": [{"flatDiscount": 10.00}]},
        percent={"success": True, "data": [{"percentDiscount": 15}]},
        unusable={"success": False, "data": []},
    ),
    400: _failure(
        "A parameter is missing or malformed.", "Promo code is required", bundle="Invalid product bundle ID format"
    ),
    401: answer(InvalidApiKey, "The key is missing or unknown.", {"status": 401, "error": "Invalid API key"}),
    404: _failure("There is no such code.", "Promo code not found!"),
    500: _failure("A fault of ours.", "Internal server error"),
    503: _failure("The database is away; `Retry-After` says when to come again.", "The database is not available."),
}
