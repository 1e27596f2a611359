"""Problem details (RFC 9457), the dialect of what is ours and in no source document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from tessera.api.http.errors import (
    Malformed,
    MethodNotAllowed,
    RequestTooLarge,
    UnknownPath,
    UnsupportedMediaType,
    VersionMissing,
)
from tessera.api.http.fields import RequestModel, ResponseModel, in_wire_order
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import answer, header
from tessera.idempotency.service import KeyInUse, KeyMalformed, KeyReused
from tessera.kit.errors import (
    Conflict,
    DatabaseUnavailable,
    DomainError,
    Invalid,
    LacksFunctionPoint,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    VersionStale,
    WrongState,
)

MEDIA_TYPE = "application/problem+json"


class ProblemErrorModel(ResponseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to what is wrong in the body.")
    code: str = Field(description="Stable, in PascalCase.")
    detail: str = Field(description="A sentence.")
    remainingUses: Annotated[int | None, WithJsonSchema({"type": ["integer", "null"]})] = Field(
        None, description="What a limit that is reached leaves; null for other rules. Told of codes alone."
    )
    validFrom: Annotated[datetime | None, WithJsonSchema({"type": ["string", "null"], "format": "date-time"})] = Field(
        None, description="When the rule may be met by itself, UTC; null if never. Told of codes alone."
    )


class ProblemModel(ResponseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="Stable; names the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time.")
    errors: list[ProblemErrorModel] | None = Field(None, description="Everything that is wrong with the request.")
    state: str | None = Field(None, description="The state that stands in the way.")


class ProblemResponse(JsonResponse):
    """A problem."""

    media_type = MEDIA_TYPE


def problem(
    status: int, kind: str, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> ProblemResponse:
    """One problem as an answer; `kind` is the last part of its type."""
    body = {"type": f"urn:tessera:problem:{kind}", "title": title, "status": status, "detail": detail, **more}
    return ProblemResponse(body, status, headers=headers)


def render(error: DomainError, *models: type[RequestModel]) -> ProblemResponse:
    """The problem for a fact; `models` are those that requests here are read with."""
    match error:
        case Invalid():
            return _invalid(error, models)
        case Malformed() | KeyMalformed():
            return problem(400, "malformed-request", "The request cannot be read", error.message)
        case LacksFunctionPoint():
            return problem(403, "function-point-missing", "The right is missing", error.message)
        case NotAllowed():
            return problem(403, "not-allowed", "Not allowed", error.message)
        case NotAuthenticated():
            challenge = {"WWW-Authenticate": "Bearer"}
            return problem(401, "not-authenticated", "A credential is needed", error.message, headers=challenge)
        case NotFound() | UnknownPath():
            return problem(404, "not-found", "Not found", error.message)
        case MethodNotAllowed():
            allow = {"Allow": error.allowed}
            return problem(405, "method-not-allowed", "Method not allowed", error.message, headers=allow)
        case WrongState():
            return problem(409, "wrong-state", "Not in this state", error.message, state=error.state)
        case KeyInUse():
            again, title = {"Retry-After": "1"}, "A request with this key is running"
            return problem(409, "idempotency-key-in-use", title, error.message, headers=again)
        case Conflict():
            return problem(409, "conflict", "In conflict with what is there", error.message)
        case VersionStale():
            return problem(412, "version-stale", "Changed meanwhile", error.message)
        case RequestTooLarge():
            return problem(413, "request-too-large", "The request is too large", error.message)
        case UnsupportedMediaType():
            return problem(415, "unsupported-media-type", "Unsupported media type", error.message)
        case KeyReused():
            return problem(422, "idempotency-key-reused", "The Idempotency-Key is taken", error.message)
        case VersionMissing():
            return problem(428, "version-missing", "If-Match is required", error.message)
        case DatabaseUnavailable():
            again = {"Retry-After": "2"}
            return problem(503, "service-unavailable", "Try again shortly", error.message, headers=again)
        case _:
            return problem(500, "internal-server-error", "A fault of ours", "Internal server error.")


def _invalid(error: Invalid, models: tuple[type[RequestModel], ...]) -> ProblemResponse:
    errors = [
        {"pointer": f"/{path}", "code": violation.code, "detail": f"{path} {violation.message}."}
        for path, violation in in_wire_order(error.violations, *models)
    ]
    return problem(400, "validation-failed", "The request breaks rules", f"{len(errors)} in all.", errors=errors)


_DOCUMENTED = {
    400: ("The request cannot be read.", "malformed-request", "The request cannot be read"),
    401: ("No credential, or one that is not or no longer good.", "not-authenticated", "A credential is needed"),
    403: ("The credential lacks the function point.", "function-point-missing", "The right is missing"),
    404: ("There is no such thing here.", "not-found", "Not found"),
    409: ("It contradicts what is there.", "conflict", "In conflict with what is there"),
    412: ("It was changed since it was read.", "version-stale", "Changed meanwhile"),
    413: (
        "The body is larger than 1 MiB, or than what is said there.",
        "request-too-large",
        "The request is too large",
    ),
    415: ("The body is not of the media type that is read here.", "unsupported-media-type", "Unsupported media type"),
    422: ("The Idempotency-Key was used with another body.", "idempotency-key-reused", "The Idempotency-Key is taken"),
    428: ("The header If-Match is missing.", "version-missing", "If-Match is required"),
    500: ("A fault of ours; the server's log knows more.", "internal-server-error", "A fault of ours"),
    503: ("The database is away.", "service-unavailable", "Try again shortly"),
}
_HEADERS = {
    401: {"WWW-Authenticate": "The scheme that is asked for."},
    503: {"Retry-After": "When to come again, in seconds."},
}
_SOMETIMES = {409: {"headers": {"Retry-After": header("In seconds; while a request with the same key is running.")}}}


def documented(*statuses: int) -> dict[int | str, Any]:
    """The problems of an operation for the OpenAPI document, each with schema and example."""
    return {status: _documented(status, *_DOCUMENTED[status]) for status in statuses}


def documented_invalid(pointer: str, code: str, detail: str) -> dict[str, Any]:
    """The 400 of an operation for the OpenAPI document, with one broken rule as its example."""
    errors = [{"pointer": pointer, "code": code, "detail": detail}]
    example = _example(400, "validation-failed", "The request breaks rules") | {"errors": errors}
    return _as_problem(answer(ProblemModel, "The request cannot be read, or breaks rules; each is named.", example))


def documented_conflict(kind: str, title: str, description: str, **more: object) -> dict[str, Any]:
    """The 409 of an operation for the OpenAPI document, with what the problem tells beyond its kind."""
    return _documented(409, description, kind, title, **more)


def documented_malformed() -> dict[str, Any]:
    """The 400 of an operation that reads no body, for the OpenAPI document: of its `Idempotency-Key` alone."""
    return _documented(400, "The header cannot be read.", "malformed-request", "The request cannot be read")


def _documented(status: int, description: str, kind: str, title: str, **more: object) -> dict[str, Any]:
    example = _example(status, kind, title) | more
    described = answer(ProblemModel, description, example, headers=_HEADERS.get(status))
    return _as_problem(described | _SOMETIMES.get(status, {}))


def _example(status: int, kind: str, title: str) -> dict[str, Any]:
    return {"type": f"urn:tessera:problem:{kind}", "title": title, "status": status, "detail": f"{title}."}


def _as_problem(described: dict[str, Any]) -> dict[str, Any]:
    # FastAPI documents a model as application/json; a reference by hand says what is really sent.
    content = described.pop("content")["application/json"]
    del described["model"]
    schema = {"$ref": f"#/components/schemas/{ProblemModel.__name__}"}
    return described | {"content": {MEDIA_TYPE: {"schema": schema, **content}}}
