"""The storefront API as the OpenAPI document describes it."""

from typing import Any

from tessera.api import problems
from tessera.api.openapi import answer
from tessera.api.storefront.schemas import ValidationsModel

REQUEST = {
    "codes": ["WELCOME", "SPRING-4H7KQ2M", "BYGONE"],
    "storeExamCode": "NCA-GENL",
    "candidate": {"email": "ada@example.com"},
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
        "reasons": [{"code": "Expired", "message": "The code has expired."}],
        "remainingUses": 500,
        "validUntil": "2026-01-01T00:00:00Z",
        "listPrice": 135.0,
        "discount": 40.5,
        "finalPrice": 94.5,
    },
]

VALIDATE: dict[int | str, Any] = {
    200: answer(ValidationsModel, "What each code is worth.", {"results": _RESULTS}),
    400: problems.documented_invalid("/codes/0", "NotCode", "codes/0 must be a string of 1 to 100 characters."),
    **problems.documented(401, 403, 413, 415, 500, 503),
}
