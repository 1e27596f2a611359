"""Errors as problem details (RFC 9457): the format of the storefront and management APIs."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tessera.api.error_rendering.codes import PROBLEM_TYPE, URN
from tessera.api.http.errors import (
    BodyTooSlow,
    HeadTooLarge,
    HeadTooSlow,
    Malformed,
    MethodNotAllowed,
    RequestTooLarge,
    UnknownPath,
    UnsupportedMediaType,
    VersionMissing,
)
from tessera.api.http.fields import RequestModel, ResponseModel, in_wire_order
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import header, response
from tessera.idempotency.service import KeyInUse, KeyMalformed, KeyReused
from tessera.kit.errors import (
    Conflict,
    DomainError,
    Invalid,
    LacksFunctionPoint,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    TooManyResults,
    Unavailable,
    VersionStale,
    WrongState,
)

MEDIA_TYPE = "application/problem+json"


class ProblemViolationModel(ResponseModel):
    """One violation in a request."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the invalid part of the body.")
    code: str = Field(description="A stable code in PascalCase. New rules have new codes.")
    detail: str = Field(description="One sentence on this violation.")


class ProblemModel(ResponseModel):
    """A problem (RFC 9457)."""

    type: Annotated[str, PROBLEM_TYPE] = Field(description="The kind of problem.")
    title: str = Field(description="The kind of problem as a short text.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="This occurrence of the problem.")
    errors: list[ProblemViolationModel] | None = Field(None, description="Every violation in the request.")
    state: str | None = Field(None, description="The current state, which does not permit the operation.")


class ProblemResponse(JsonResponse):
    """A problem as a response."""

    media_type = MEDIA_TYPE


def problem(
    status: int, kind: str, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> ProblemResponse:
    """A problem as a response; `kind` is the last part of its type, and `members` are extensions."""
    body = {"type": URN + kind, "title": title, "status": status, "detail": detail, **members}
    return ProblemResponse(body, status, headers=headers)


def render(error: DomainError, *models: type[RequestModel]) -> ProblemResponse:
    """The problem for an error; `models` are the request models of this API."""
    match error:
        case Invalid():
            return _invalid(error, models)
        case Malformed() | KeyMalformed():
            return problem(400, "malformed-request", "The request cannot be read", error.message)
        case TooManyResults():
            return problem(400, "too-many-results", "Too many results", error.message)
        case LacksFunctionPoint():
            return problem(403, "function-point-missing", "Permission missing", error.message)
        case NotAllowed():
            return problem(403, "not-allowed", "Not allowed", error.message)
        case NotAuthenticated():
            challenge = {"WWW-Authenticate": "Bearer"}
            return problem(401, "not-authenticated", "Authentication required", error.message, headers=challenge)
        case NotFound() | UnknownPath():
            return problem(404, "not-found", "Not found", error.message)
        case WrongState():
            return problem(409, "wrong-state", "Wrong state", error.message, state=error.state)
        case KeyInUse():
            retry, title = {"Retry-After": "1"}, "Idempotency-Key in use"
            return problem(409, "idempotency-key-in-use", title, error.message, headers=retry)
        case Conflict():
            return problem(409, "conflict", "Conflict", error.message)
        case VersionStale():
            return problem(412, "version-stale", "Precondition failed", error.message)
        case KeyReused():
            return problem(422, "idempotency-key-reused", "Idempotency-Key already used", error.message)
        case VersionMissing():
            return problem(428, "version-missing", "If-Match is required", error.message)
        case TooManyRequests():
            retry = {"Retry-After": str(error.retry_after)}
            return problem(429, "too-many-requests", "Too many requests", error.message, headers=retry)
        case Unavailable():
            retry = {"Retry-After": str(error.retry_after)}
            return problem(503, "service-unavailable", "Service unavailable", error.message, headers=retry)
        case _:
            return _render_transport(error)


def _render_transport(error: DomainError) -> ProblemResponse:
    """The problem for an error of the HTTP layer."""
    match error:
        case MethodNotAllowed():
            allow = {"Allow": error.allowed}
            return problem(405, "method-not-allowed", "Method not allowed", error.message, headers=allow)
        case HeadTooSlow() | BodyTooSlow():
            return problem(408, "request-timeout", "The request arrived too slowly", error.message)
        case RequestTooLarge():
            return problem(413, "request-too-large", "The request is too large", error.message)
        case UnsupportedMediaType():
            return problem(415, "unsupported-media-type", "Unsupported media type", error.message)
        case HeadTooLarge():
            return problem(431, "head-too-large", "The request headers are too large", error.message)
        case _:
            return problem(500, "internal-server-error", "Internal server error", "Internal server error.")


def _invalid(error: Invalid, models: tuple[type[RequestModel], ...]) -> ProblemResponse:
    errors = [
        {"pointer": f"/{path}", "code": violation.code, "detail": f"{path} {violation.message}."}
        for path, violation in in_wire_order(error.violations, *models)
    ]
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return problem(400, "validation-failed", "Validation failed", f"The request has {count}.", errors=errors)


_DOCUMENTED = {
    400: ("The request cannot be parsed.", "malformed-request", "The request cannot be read"),
    401: ("The credential is missing, invalid or expired.", "not-authenticated", "Authentication required"),
    403: ("The credential lacks the function point.", "function-point-missing", "Permission missing"),
    404: ("The resource does not exist.", "not-found", "Not found"),
    409: ("The request conflicts with the current state.", "conflict", "Conflict"),
    412: ("The version in If-Match is not the current one.", "version-stale", "Precondition failed"),
    413: (
        "The body is larger than 1 MiB, or than the limit of the operation.",
        "request-too-large",
        "The request is too large",
    ),
    415: ("The operation does not accept this media type.", "unsupported-media-type", "Unsupported media type"),
    422: ("The Idempotency-Key was used with another body.", "idempotency-key-reused", "Idempotency-Key already used"),
    428: ("The header If-Match is missing.", "version-missing", "If-Match is required"),
    429: (
        "The caller has too many running requests, or too many failed attempts.",
        "too-many-requests",
        "Too many requests",
    ),
    500: ("Internal server error. The server's log has the details.", "internal-server-error", "Internal server error"),
    503: (
        "The database is unavailable, the request exceeded its time limit, or the organization is frozen.",
        "service-unavailable",
        "Service unavailable",
    ),
}
_HEADERS = {
    401: {"WWW-Authenticate": "The authentication scheme."},
    429: {"Retry-After": "Seconds to wait before retrying."},
    503: {"Retry-After": "Seconds to wait before retrying."},
}
_OPTIONAL_HEADERS = {
    409: {
        "headers": {
            "Retry-After": header("Seconds to wait before retrying, while a request with the same key is running.")
        }
    }
}


def documented(*statuses: int) -> dict[int | str, Any]:
    """Error responses of an operation for the OpenAPI document, each with schema and example."""
    return {status: _documented(status, *_DOCUMENTED[status]) for status in statuses}


def documented_invalid(pointer: str, code: str, detail: str) -> dict[str, Any]:
    """The 400 response of an operation for the OpenAPI document, with one violation as its example."""
    errors = [{"pointer": pointer, "code": code, "detail": detail}]
    example = _example(400, "validation-failed", "Validation failed") | {"errors": errors}
    return _as_problem(
        response(ProblemModel, "The request cannot be parsed, or is invalid; `errors` has every violation.", example)
    )


def documented_unknown_parameter() -> dict[str, Any]:
    """The 400 response of an operation that has neither query parameters nor a body."""
    return documented_invalid("/x", "UnknownParameter", "x is not a known parameter.")


def documented_conflict(
    kind: str, title: str, description: str, *, model: str | None = None, **members: object
) -> dict[str, Any]:
    """The 409 response of an operation for the OpenAPI document; `members` are extensions of the problem.

    `model` names the schema of a problem with these extensions, if it is not the general one.
    """
    documentation = _documented(409, description, kind, title, **members)
    if model is not None:
        content = documentation["content"][MEDIA_TYPE]
        content["schema"] = {"anyOf": [{"$ref": f"#/components/schemas/{model}"}, content["schema"]]}
    return documentation


def documented_malformed() -> dict[str, Any]:
    """The 400 response of an operation without a body, where only the `Idempotency-Key` can be malformed."""
    return _documented(400, "The header is malformed.", "malformed-request", "The request cannot be read")


def _documented(status: int, description: str, kind: str, title: str, **members: object) -> dict[str, Any]:
    example = _example(status, kind, title) | members
    documentation = response(ProblemModel, description, example, headers=_HEADERS.get(status))
    return _as_problem(documentation | _OPTIONAL_HEADERS.get(status, {}))


def _example(status: int, kind: str, title: str) -> dict[str, Any]:
    return {"type": URN + kind, "title": title, "status": status, "detail": f"{title}."}


def _as_problem(documentation: dict[str, Any]) -> dict[str, Any]:
    # FastAPI would document the model as application/json, so the schema reference is explicit.
    content = documentation.pop("content")["application/json"]
    del documentation["model"]
    schema = {"$ref": f"#/components/schemas/{ProblemModel.__name__}"}
    return documentation | {"content": {MEDIA_TYPE: {"schema": schema, **content}}}
