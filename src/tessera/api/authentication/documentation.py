"""The authentication endpoints as the OpenAPI document describes them."""

from typing import Any

from tessera.api import certiverse
from tessera.api.authentication.schemas import AccessTokenModel, AuthTokenModel, OAuthErrorModel
from tessera.api.openapi import answer

_TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJKV1QifQ.e30.c2lnbmF0dXJl"  # noqa: S105 - an example

AUTHENTICATE: dict[int | str, Any] = {
    200: answer(AuthTokenModel, "The token.", {"authToken": _TOKEN, "code": "abc"}),
    **certiverse.documented(400, 401, 413, 500, 503),
}


def _oauth_error(description: str, error: str, words: str) -> dict[str, Any]:
    return answer(OAuthErrorModel, description, {"error": error, "error_description": words})


TOKEN: dict[int | str, Any] = {
    200: answer(AccessTokenModel, "The token.", {"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 3600}),
    400: _oauth_error("The form is wrong.", "unsupported_grant_type", "The grant type must be client_credentials."),
    401: _oauth_error("The client or its secret is wrong.", "invalid_client", "The client or its secret is not valid."),
    413: _oauth_error("The form is too large.", "invalid_request", "The request body must not be larger than ..."),
    415: _oauth_error("No form.", "invalid_request", "The request body must be application/x-www-form-urlencoded."),
    500: _oauth_error("A fault of ours.", "server_error", "Internal server error."),
    503: _oauth_error("Come again.", "temporarily_unavailable", "The database is not available. Try again shortly."),
}

TOKEN_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "title": "AccessTokenRequest",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "client_id": {"type": "string", "description": "The ClientId, unless Basic carries it."},
                    "client_secret": {"type": "string", "description": "Its secret, unless Basic carries it."},
                },
            },
            "example": {"grant_type": "client_credentials", "client_id": "tsc_...", "client_secret": "..."},
        }
    },
}
