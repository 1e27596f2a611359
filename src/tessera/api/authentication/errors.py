"""Facts in the words of the two authentication endpoints."""

from tessera.api.authentication.schemas import AuthenticateQuery
from tessera.api.error_rendering import certiverse
from tessera.api.http.errors import Malformed, MethodNotAllowed, RequestTooLarge, UnknownPath, UnsupportedMediaType
from tessera.api.http.json import JsonAnswer
from tessera.kit.errors import DatabaseUnavailable, Fact, Invalid, NotAuthenticated

# RFC 6749 forbids caching of every answer of the token endpoint.
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class UnsupportedGrantType(Fact):
    """Only client credentials are exchanged for tokens here."""

    def __init__(self) -> None:
        super().__init__("The grant type must be client_credentials.")


def render_authenticate(fact: Fact) -> JsonAnswer:
    """The Certiverse dialect; a wrong ClientId or secret asks for Basic."""
    match fact:
        case Invalid():
            return certiverse.invalid(fact, AuthenticateQuery)
        case NotAuthenticated():
            challenge = {"WWW-Authenticate": 'Basic realm="tessera", charset="UTF-8"'}
            return certiverse.error(401, "NotAuthenticated", fact.message, headers=challenge)
        case _:
            return certiverse.common(fact)


def render_token(fact: Fact) -> JsonAnswer:
    """RFC 6749, section 5.2."""
    match fact:
        case NotAuthenticated():
            return _oauth(401, "invalid_client", fact.message, {"WWW-Authenticate": 'Basic realm="tessera"'})
        case UnsupportedGrantType():
            return _oauth(400, "unsupported_grant_type", fact.message)
        case Malformed() | Invalid():
            return _oauth(400, "invalid_request", fact.message)
        case UnknownPath():
            return _oauth(404, "invalid_request", fact.message)
        case MethodNotAllowed():
            return _oauth(405, "invalid_request", fact.message, {"Allow": fact.allowed})
        case RequestTooLarge():
            return _oauth(413, "invalid_request", fact.message)
        case UnsupportedMediaType():
            return _oauth(415, "invalid_request", fact.message)
        case DatabaseUnavailable():
            return _oauth(503, "temporarily_unavailable", fact.message, {"Retry-After": "2"})
        case _:
            return _oauth(500, "server_error", "Internal server error.")


def _oauth(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> JsonAnswer:
    body = {"error": error, "error_description": description}
    return JsonAnswer(body, status, headers=NO_STORE | (headers or {}))
