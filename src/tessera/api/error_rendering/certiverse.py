"""Errors in the format of the Certiverse APIs."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tessera.api.error_rendering.codes import CERTIVERSE_ERROR
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
from tessera.api.http.fields import RequestModel, ResponseModel, in_wire_order
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import response
from tessera.idempotency.service import KeyInUse, KeyMalformed, KeyReused
from tessera.kit.errors import (
    DatabaseUnavailable,
    DomainError,
    Invalid,
    LacksFunctionPoint,
    NotAuthenticated,
    TooManyRequests,
    Unavailable,
)
from tessera.kit.tokens import TokenExpired

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class CertiverseErrorModel(ResponseModel):
    """An error of the Certiverse APIs."""

    errorCode: Annotated[str, CERTIVERSE_ERROR] = Field(description="The kind of error.")  # noqa: N815
    errorMessages: list[str] = Field(description="One sentence for each violation.")  # noqa: N815


def error_response(status: int, code: str, *messages: str, headers: Mapping[str, str] | None = None) -> JsonResponse:
    """An error response: a stable code in PascalCase, and every message."""
    return JsonResponse({"errorCode": code, "errorMessages": messages}, status, headers=headers)


def invalid(error: Invalid, *models: type[RequestModel]) -> JsonResponse:
    """400 with every violation, in the field names and order of the first model that has all these fields."""
    violations = in_wire_order(error.violations, *models)
    return error_response(400, "ValidationFailed", *(f"{path} {violation.message}." for path, violation in violations))


def common(error: DomainError) -> JsonResponse:
    """The response for errors that every operation may raise."""
    match error:
        case Malformed():
            return error_response(400, "MalformedRequest", error.message)
        case LacksFunctionPoint():
            return error_response(401, "FunctionPointMissing", error.message, headers=CHALLENGE)
        case TokenExpired():
            return error_response(401, "TokenExpired", error.message, headers=CHALLENGE)
        case NotAuthenticated():
            return error_response(401, "NotAuthenticated", error.message, headers=CHALLENGE)
        case KeyMalformed():
            return error_response(400, "IdempotencyKeyMalformed", error.message)
        case KeyInUse():
            return error_response(409, "IdempotencyKeyInUse", error.message, headers={"Retry-After": "1"})
        case KeyReused():
            return error_response(422, "IdempotencyKeyReused", error.message)
        case UnknownPath():
            return error_response(404, "NotFound", error.message)
        case MethodNotAllowed():
            return error_response(405, "MethodNotAllowed", error.message, headers={"Allow": error.allowed})
        case HeadTooSlow() | BodyTooSlow():
            return error_response(408, "RequestTimeout", error.message)
        case RequestTooLarge():
            return error_response(413, "RequestTooLarge", error.message)
        case UnsupportedMediaType():
            return error_response(415, "UnsupportedMediaType", error.message)
        case TooManyRequests():
            retry = {"Retry-After": str(error.retry_after)}
            return error_response(429, "TooManyRequests", error.message, headers=retry)
        case HeadTooLarge():
            return error_response(431, "RequestHeaderFieldsTooLarge", error.message)
        case Unavailable():
            return error_response(
                503, "ServiceUnavailable", error.message, headers={"Retry-After": str(error.retry_after)}
            )
        case _:
            return error_response(500, "InternalServerError", "Internal server error.")


# For each status: the description, and its error codes with example messages.
_DOCUMENTED: dict[int, tuple[str, dict[str, list[str]]]] = {
    400: (
        "The request is invalid. `errorMessages` has every violation, in the order of the fields.",
        {"MalformedRequest": ["The query string is not valid UTF-8."]},
    ),
    401: (
        "The credential is missing, invalid or expired, or lacks the function point.",
        {
            "NotAuthenticated": ["A Bearer token is required."],
            "TokenExpired": ["The token has expired."],
        },
    ),
    413: ("The body is larger than 1 MiB.", {"RequestTooLarge": [RequestTooLarge(1024 * 1024).message]}),
    415: ("The body is not JSON.", {"UnsupportedMediaType": [UnsupportedMediaType("application/json").message]}),
    429: (
        "The caller has too many running requests, or too many failed attempts.",
        {"TooManyRequests": ["Too many attempts with a wrong secret. Try again later."]},
    ),
    500: (
        "Internal server error. The server's log has the details.",
        {"InternalServerError": ["Internal server error."]},
    ),
    503: (
        "The database is unavailable, the request exceeded its time limit, or the organization is frozen.",
        {"ServiceUnavailable": [DatabaseUnavailable().message]},
    ),
}
_HEADERS = {
    401: {"WWW-Authenticate": "The authentication scheme."},
    409: {"Retry-After": "Seconds to wait before retrying."},
    429: {"Retry-After": "Seconds to wait before retrying."},
    503: {"Retry-After": "Seconds to wait before retrying."},
}


def documented(*statuses: int) -> dict[int | str, Any]:
    """Error responses of an operation for the OpenAPI document, each with schema and examples."""
    return {status: documented_error(status) for status in statuses}


def documented_error(
    status: int, description: str = "", code: str | None = None, *messages: str, **codes: list[str]
) -> dict[str, Any]:
    """One error response for the OpenAPI document.

    Its examples are `code` with `messages`, the errors of every operation, and `codes`, which maps error codes to
    messages.
    """
    default_description, default_codes = _DOCUMENTED.get(status, ("", {}))
    errors = {**({code: list(messages)} if code else {}), **default_codes, **codes}
    examples = {name: {"errorCode": name, "errorMessages": texts} for name, texts in errors.items()}
    return response(CertiverseErrorModel, description or default_description, headers=_HEADERS.get(status), **examples)


def idempotency_documented() -> dict[int | str, Any]:
    """The error responses of operations with an `Idempotency-Key`, for the OpenAPI document."""
    return {
        409: documented_error(
            409, "A request with this key is still running.", "IdempotencyKeyInUse", KeyInUse().message
        ),
        422: documented_error(
            422, "The key was used with another request.", "IdempotencyKeyReused", KeyReused().message
        ),
    }
