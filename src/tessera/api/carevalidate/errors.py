"""Errors with the fixed messages of the CareValidate document."""

from tessera.api.http.errors import (
    BodyTooSlow,
    HeadTooLarge,
    HeadTooSlow,
    Malformed,
    MethodNotAllowed,
    RequestTooLarge,
    UnknownPath,
)
from tessera.api.http.json import JsonResponse
from tessera.kit.errors import DomainError, NotAuthenticated, NotFound, TooManyRequests, Unavailable


class CodeMissing(DomainError):
    """The parameter `code` is missing."""


class BundleIdMalformed(DomainError):
    """The id of the product bundle is not a UUID."""


def render(error: DomainError) -> JsonResponse:
    """The CareValidate format: one message, and another body for an invalid key."""
    match error:
        case NotAuthenticated():
            return JsonResponse({"status": 401, "error": "Invalid API key"}, 401)
        case CodeMissing():
            return _failure(400, "Promo code is required")
        case BundleIdMalformed():
            return _failure(400, "Invalid product bundle ID format")
        case Malformed():
            return _failure(400, error.message)
        case NotFound():
            return _failure(404, "Promo code not found!")
        case UnknownPath():
            return _failure(404, error.message)
        case MethodNotAllowed():
            return _failure(405, error.message, {"Allow": error.allowed})
        case HeadTooSlow() | BodyTooSlow():
            return _failure(408, error.message)
        case RequestTooLarge():
            return _failure(413, error.message)
        case TooManyRequests():
            return _failure(429, "Too many requests", {"Retry-After": str(error.retry_after)})
        case HeadTooLarge():
            return _failure(431, error.message)
        case Unavailable():
            return _failure(503, error.message, {"Retry-After": str(error.retry_after)})
        case _:
            return _failure(500, "Internal server error")


def _failure(status: int, message: str, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"success": False, "message": message}, status, headers=headers)
