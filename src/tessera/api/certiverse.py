"""The Certiverse dialect, which two of the documented APIs speak."""

from collections.abc import Mapping
from typing import Any

from tessera.api.answers import JsonAnswer
from tessera.api.facts import Malformed, MethodNotAllowed, RequestTooLarge, UnknownPath, UnsupportedMediaType
from tessera.api.openapi import answer
from tessera.api.types import RequestModel, ResponseModel
from tessera.kit.errors import (
    DatabaseUnavailable,
    Fact,
    Invalid,
    LacksFunctionPoint,
    NotAuthenticated,
)
from tessera.kit.tokens import TokenExpired

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class ErrorModel(ResponseModel):
    """Every error of the Certiverse APIs."""

    errorCode: str  # noqa: N815 - the wire's own name
    errorMessages: list[str]  # noqa: N815


def error(status: int, code: str, *messages: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An error answer: a stable code in PascalCase, and every message."""
    return JsonAnswer({"errorCode": code, "errorMessages": messages}, status, headers=headers)


def invalid(fact: Invalid, *models: type[RequestModel]) -> JsonAnswer:
    """400 with every violation, under the wire names and in the order of the request's model, which is among these."""
    fields = {violation.field for violation in fact.violations}
    names = next(wire for wire in map(wire_names, models) if fields <= wire.keys())
    order = list(names)
    found = sorted(fact.violations, key=lambda violation: order.index(violation.field))
    return error(400, "ValidationFailed", *(f"{names[violation.field]} {violation.message}." for violation in found))


def wire_names(model: type[RequestModel]) -> dict[str, str]:
    """Wire name by domain name, in the document's order."""
    return {name: info.alias or name for name, info in model.model_fields.items()}


def common(fact: Fact) -> JsonAnswer:
    """The answer for what every operation may have to say."""
    match fact:
        case Malformed():
            return error(400, "MalformedRequest", fact.message)
        case LacksFunctionPoint():
            return error(401, "FunctionPointMissing", fact.message, headers=CHALLENGE)
        case TokenExpired():
            return error(401, "TokenExpired", fact.message, headers=CHALLENGE)
        case NotAuthenticated():
            return error(401, "NotAuthenticated", fact.message, headers=CHALLENGE)
        case UnknownPath():
            return error(404, "NotFound", fact.message)
        case MethodNotAllowed():
            return error(405, "MethodNotAllowed", fact.message, headers={"Allow": fact.allowed})
        case RequestTooLarge():
            return error(413, "RequestTooLarge", fact.message)
        case UnsupportedMediaType():
            return error(415, "UnsupportedMediaType", fact.message)
        case DatabaseUnavailable():
            return error(503, "ServiceUnavailable", fact.message, headers={"Retry-After": "2"})
        case _:
            return error(500, "InternalServerError", "Internal server error.")


_DOCUMENTED = {
    400: ("The request breaks rules; every one is named.", "ValidationFailed", "page must be a positive integer."),
    401: (
        "No credential, one that is not or no longer good, or one without the function point.",
        "NotAuthenticated",
        "A Bearer token is required.",
    ),
    413: (
        "The body is larger than 1 MiB.",
        "RequestTooLarge",
        "The request body must not be larger than 1,048,576 bytes.",
    ),
    415: ("The body is not JSON.", "UnsupportedMediaType", "The request body must be application/json."),
    500: ("A fault of ours.", "InternalServerError", "Internal server error."),
    503: (
        "The database is away; `Retry-After` says when to come again.",
        "ServiceUnavailable",
        "The database is not available. Try again shortly.",
    ),
}


def documented(*statuses: int) -> dict[int | str, Any]:
    """The error statuses of an operation for the OpenAPI document, each with schema and example."""
    return {status: documented_error(status, *_DOCUMENTED[status]) for status in statuses}


def documented_error(status: int, description: str, code: str, *messages: str) -> dict[str, Any]:
    """One error status for the OpenAPI document."""
    described = answer(ErrorModel, description, {"errorCode": code, "errorMessages": list(messages)})
    header = {401: "WWW-Authenticate", 503: "Retry-After"}.get(status)
    if header:
        described["headers"] = {header: {"schema": {"type": "string"}}}
    return described
