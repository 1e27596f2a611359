"""OpenAPI documentation of the authentication endpoints."""

from typing import Any

from tessera.api.authentication.errors import UnsupportedGrantType
from tessera.api.authentication.schemas import AccessTokenModel, AccessTokenRequest, AuthTokenModel, OAuthErrorModel
from tessera.api.error_rendering import certiverse
from tessera.api.http.errors import RequestTooLarge, UnsupportedMediaType
from tessera.api.http.openapi import form_body, response
from tessera.kit.errors import DatabaseUnavailable

_TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJKV1QifQ.e30.c2lnbmF0dXJl"  # noqa: S105 - an example

AUTHENTICATE: dict[int | str, Any] = {
    200: response(AuthTokenModel, "The token.", {"authToken": _TOKEN, "code": "abc"}),
    400: certiverse.documented_error(400, ValidationFailed=["Code must be given once."]),
    401: response(
        certiverse.CertiverseErrorModel,
        "The credentials are missing, malformed, invalid or revoked.",
        headers={"WWW-Authenticate": "The authentication scheme."},
        NotAuthenticated={
            "errorCode": "NotAuthenticated",
            "errorMessages": ["The client or its secret is not valid."],
        },
    ),
    **certiverse.documented(429, 500, 503),
}


def _oauth_error(description: str, *, headers: dict[str, str] | None = None, **messages: str) -> dict[str, Any]:
    examples = {error: {"error": error, "error_description": text} for error, text in messages.items()}
    return response(OAuthErrorModel, description, headers=headers, **examples)


TOKEN: dict[int | str, Any] = {
    200: response(
        AccessTokenModel,
        "The token.",
        headers={"Cache-Control": "`no-store`."},
        token={"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 3600},
    ),
    400: _oauth_error(
        "The form is invalid.",
        unsupported_grant_type=UnsupportedGrantType().message,
        invalid_request="The parameter grant_type is required.",
    ),
    401: _oauth_error(
        "The credentials are missing, malformed, invalid or revoked.",
        headers={"WWW-Authenticate": "The authentication scheme."},
        invalid_client="The client or its secret is not valid.",
    ),
    413: _oauth_error("The form is larger than 1 MiB.", invalid_request=RequestTooLarge(1024 * 1024).message),
    415: _oauth_error(
        "The body is not a form.", invalid_request=UnsupportedMediaType("application/x-www-form-urlencoded").message
    ),
    429: _oauth_error(
        "A wrong secret was sent too often.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        temporarily_unavailable="Too many attempts with a wrong secret. Try again later.",
    ),
    500: _oauth_error(
        "Internal server error. The server's log has the details.", server_error="Internal server error."
    ),
    503: _oauth_error(
        "The database is unavailable.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        temporarily_unavailable=DatabaseUnavailable().message,
    ),
}

TOKEN_FORM = form_body(
    AccessTokenRequest,
    {"grant_type": "client_credentials", "client_id": "tsc_AZrAR7L...", "client_secret": "Q0mB5hX..."},
)
