"""Errors in the formats of the two authentication endpoints."""

from tessera.api.authentication.schemas import AuthenticateQuery
from tessera.api.error_rendering import certiverse
from tessera.api.http.errors import (
    BodyTooSlow,
    HeadTooLarge,
    HeadTooSlow,
    Malformed,
    MethodNotAllowed,
    RequestTooLarge,
    UnknownPath,
    UnsupportedMediaType,
)
from tessera.api.http.json import JsonResponse
from tessera.kit.errors import DomainError, Invalid, NotAuthenticated, TooManyRequests, Unavailable

# RFC 6749 forbids caching the responses of the token endpoint.
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class UnsupportedGrantType(DomainError):
    """The grant type is not supported."""

    def __init__(self) -> None:
        super().__init__("The grant type must be client_credentials.")


def render_authenticate(error: DomainError) -> JsonResponse:
    """The Certiverse format; a 401 has a Basic challenge."""
    match error:
        case Invalid():
            return certiverse.invalid(error, AuthenticateQuery)
        case NotAuthenticated():
            challenge = {"WWW-Authenticate": 'Basic realm="tessera", charset="UTF-8"'}
            return certiverse.error_response(401, "NotAuthenticated", error.message, headers=challenge)
        case _:
            return certiverse.common(error)


def render_token(error: DomainError) -> JsonResponse:
    """RFC 6749, section 5.2."""
    match error:
        case NotAuthenticated():
            return _oauth(401, "invalid_client", error.message, {"WWW-Authenticate": 'Basic realm="tessera"'})
        case UnsupportedGrantType():
            return _oauth(400, "unsupported_grant_type", error.message)
        case Malformed() | Invalid():
            return _oauth(400, "invalid_request", error.message)
        case UnknownPath():
            return _oauth(404, "invalid_request", error.message)
        case MethodNotAllowed():
            return _oauth(405, "invalid_request", error.message, {"Allow": error.allowed})
        case HeadTooSlow() | BodyTooSlow():
            return _oauth(408, "invalid_request", error.message)
        case HeadTooLarge():
            return _oauth(431, "invalid_request", error.message)
        case RequestTooLarge():
            return _oauth(413, "invalid_request", error.message)
        case UnsupportedMediaType():
            return _oauth(415, "invalid_request", error.message)
        case TooManyRequests():
            retry = {"Retry-After": str(error.retry_after)}
            return _oauth(429, "temporarily_unavailable", error.message, retry)
        case Unavailable():
            return _oauth(503, "temporarily_unavailable", error.message, {"Retry-After": str(error.retry_after)})
        case _:
            return _oauth(500, "server_error", "Internal server error.")


def _oauth(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> JsonResponse:
    body = {"error": error, "error_description": description}
    return JsonResponse(body, status, headers=NO_STORE | (headers or {}))
