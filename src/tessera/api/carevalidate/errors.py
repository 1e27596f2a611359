"""Facts in the fixed words of the CareValidate document."""

from tessera.api.http.errors import Malformed, MethodNotAllowed, RequestTooLarge, UnknownPath
from tessera.api.http.json import JsonAnswer
from tessera.kit.errors import DatabaseUnavailable, Fact, NotAuthenticated, NotFound


class CodeMissing(Fact):
    """No code was given."""


class BundleIdMalformed(Fact):
    """What was given as a product bundle's id is no UUID."""


def render(fact: Fact) -> JsonAnswer:
    """The CareValidate dialect: one message, and a body of its own for the key."""
    match fact:
        case NotAuthenticated():
            return JsonAnswer({"status": 401, "error": "Invalid API key"}, 401)
        case CodeMissing():
            return _failure(400, "Promo code is required")
        case BundleIdMalformed():
            return _failure(400, "Invalid product bundle ID format")
        case Malformed():
            return _failure(400, fact.message)
        case NotFound():
            return _failure(404, "Promo code not found!")
        case UnknownPath():
            return _failure(404, fact.message)
        case MethodNotAllowed():
            return _failure(405, fact.message, {"Allow": fact.allowed})
        case RequestTooLarge():
            return _failure(413, fact.message)
        case DatabaseUnavailable():
            return _failure(503, fact.message, {"Retry-After": "2"})
        case _:
            return _failure(500, "Internal server error")


def _failure(status: int, message: str, headers: dict[str, str] | None = None) -> JsonAnswer:
    return JsonAnswer({"success": False, "message": message}, status, headers=headers)
