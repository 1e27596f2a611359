"""Parsing of requests field by field, which collects every violation."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.types import Scope

from tessera.api.http import unknown_names
from tessera.api.http.errors import Malformed, RequestTooLarge, UnsupportedMediaType
from tessera.api.http.fields import MAX_LIST_ITEMS, RequestModel
from tessera.kit.errors import Invalid, NotFound, Violation

MAX_BODY_BYTES = 1024 * 1024
IMPORTS = "/management/v1/promo-code-imports"
VOUCHER_IMPORTS = "/management/v1/voucher-imports"
# A longer body takes up to a second, during which other requests must not wait.
MAX_BYTES_INLINE = 16 * 1024
# Twice as many as the longest list of objects. The parsers return to no other thread before they have read them all.
MAX_CONTAINERS = 2 * MAX_LIST_ITEMS
_LARGER = dict.fromkeys((IMPORTS, VOUCHER_IMPORTS), 100 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """The values of a request by domain name, and the violations of fields that could not be parsed."""

    values: dict[str, Any] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def draft(self) -> dict[str, Any]:
        """The arguments of a draft; a field that could not be parsed is None and listed in `parse_violations`."""
        unreadable = dict.fromkeys((violation.field.partition("/")[0] for violation in self.violations), None)
        unreadable.pop("", None)  # unknown names
        return {**self.values, **unreadable, "parse_violations": tuple(self.violations)}

    def valid_values(self) -> dict[str, Any]:
        """The values of a request without violations; raises Invalid with all of them."""
        if self.violations:
            raise Invalid(self.violations)
        return self.values


@lru_cache
def _readers(model: type[RequestModel]) -> dict[str, tuple[str, bool, TypeAdapter[Any]]]:
    return {
        name: (info.alias or name, info.is_required(), TypeAdapter(info.rebuild_annotation()))
        for name, info in model.model_fields.items()
    }


def read_query(request: Request, model: type[RequestModel]) -> ParsedRequest:
    """The query parameters; an empty parameter counts as absent. Raises Malformed."""
    parameters: dict[str, str] = {}
    repeated = []
    for name, value in query_items(request):
        if value and name in parameters:
            repeated.append(name)
        if value:
            parameters[name] = value
    parsed_request = _read(model, parameters)
    for name, (alias, _, _) in _readers(model).items():
        if alias in repeated:
            parsed_request.values.pop(name, None)
            parsed_request.violations.append(Violation("Repeated", name, "must be given once"))
    parsed_request.violations.extend(_unknown_parameters(request, model))
    return parsed_request


def refuse_parameters(request: Request) -> None:
    """Raise Invalid for query parameters of an operation that reads neither a query nor a body.

    All other operations report unknown parameters together with their other violations.
    """
    documentation = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    has_query = any(parameter["in"] == "query" for parameter in documentation.get("parameters", ()))
    violations = _unknown_parameters(request, RequestModel)
    if violations and not has_query and "requestBody" not in documentation:
        raise Invalid(violations)


def _unknown_parameters(request: Request, model: type[RequestModel]) -> list[Violation]:
    names = dict.fromkeys(name for name, _ in query_items(request))
    unknown = model.unknown_names(names, noun="parameter")
    return [Violation(unknown_names.PARAMETER, f"/{name}", message) for name, message in unknown]


def body_limit(path: str) -> int:
    """The maximum size of a body sent to this path, in bytes."""
    return _LARGER.get(path, MAX_BODY_BYTES)


def is_transfer(path: str) -> bool:
    """Whether the operation at this path imports a file, which may be too large for memory and take longer."""
    return path in _LARGER


async def receive_body(request: Request) -> None:
    """Receive the whole body before a database connection is taken: slow uploads must not use up the pool.

    `read_body` raises the error of a body that is too large.
    """
    try:
        await request.body()
    except RequestTooLarge as error:
        request.state.body_error = error


async def size_of_body(request: Request) -> int:
    """The number of bytes of a received body; 0 if it is too large."""
    return 0 if hasattr(request.state, "body_error") else len(await request.body())


def ensure_readable(request: Request, media_type: str) -> None:
    """Raise UnsupportedMediaType for another media type, and RequestTooLarge if the body was too large to receive."""
    # The documents do not require the header, so a request without it has the expected type.
    if request.headers.get("content-type", media_type).partition(";")[0].strip().lower() != media_type:
        raise UnsupportedMediaType(media_type)
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(f"{media_type} without a Content-Encoding")
    if isinstance(error := getattr(request.state, "body_error", None), RequestTooLarge):
        raise error


async def read_body(request: Request, model: type[RequestModel]) -> ParsedRequest:
    """The fields of a JSON object; null counts as absent. Raises Malformed, UnsupportedMediaType, RequestTooLarge.

    Operations with a body have no query parameters; in our own APIs, each parameter is a violation.
    """
    ensure_readable(request, "application/json")
    body = await request.body()
    is_short = len(body) <= MAX_BYTES_INLINE
    parsed_request = _parse_body(body, model) if is_short else await asyncio.to_thread(_parse_body, body, model)
    if model.refuses_unknown_names():
        parsed_request.violations.extend(_unknown_parameters(request, RequestModel))
    return parsed_request


def _parse_body(body: bytes, model: type[RequestModel]) -> ParsedRequest:
    # Brackets within texts count, too, but no text has so many.
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise Malformed(f"The request body must have at most {MAX_CONTAINERS:,} lists and objects.")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("The request body is not valid JSON.") from error
    if model.refuses_unknown_names():
        _refuse_repeated_names(body)
    if not isinstance(content, dict):
        raise Malformed("The request body must be a JSON object.")
    parsed_request = _read(model, {name: value for name, value in content.items() if value is not None})
    unknown = model.unknown_names(content)
    parsed_request.violations.extend(Violation(unknown_names.PROPERTY, f"/{name}", text) for name, text in unknown)
    return parsed_request


def _refuse_repeated_names(body: bytes) -> None:
    """Raise Malformed for an object of valid JSON that has a name twice, of which readers take one or the other."""
    try:
        _DECODER.decode(body.decode())
    except RecursionError as error:
        raise Malformed("The request body is nested too deeply.") from error


def _without_repeated_names(members: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in members:
        if name in content:
            raise Malformed(f"The request body repeats the property {unknown_names.segment(name)}.")
        content[name] = value
    return content


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeated_names)  # `json.loads` would make one for each body


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of a header by its name in lower case; an object with all headers costs more to create."""
    for each, value in scope["headers"]:
        if each == name:
            found: bytes = value
            return found
    return None


def query_items(request: Request) -> list[tuple[str, str]]:
    """The query parameters in their order, percent-decoded; raises Malformed."""
    return parsed_query(request.scope["query_string"])


def parsed_query(raw: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string in their order, percent-decoded; raises Malformed."""
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise Malformed("The query string is not valid UTF-8.") from error


def path_id(request: Request, name: str) -> UUID:
    """The id in the path; raises NotFound if it is not a UUID, because no resource has such an id."""
    try:
        return UUID(request.path_params[name])
    except ValueError as error:
        raise NotFound("There is no resource with this id.") from error


def _read(model: type[RequestModel], parameters: Mapping[str, Any]) -> ParsedRequest:
    parsed_request = ParsedRequest()
    for name, (alias, required, adapter) in _readers(model).items():
        if alias not in parameters:
            if required:
                parsed_request.violations.append(Violation("Required", name, "is required"))
            continue
        try:
            parsed_request.values[name] = adapter.validate_python(parameters[alias])
        except ValidationError as error:
            parsed_request.violations.extend(_violations(name, error))
    return parsed_request


def _violations(name: str, error: ValidationError) -> list[Violation]:
    # The path of a nested value is in wire names: "candidate/email", "codes/3".
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [_violation(item["type"], "/".join([name, *map(str, item["loc"])]), item["msg"]) for item in errors]


def _violation(code: str, field: str, message: str) -> Violation:
    return Violation("Required", field, "is required") if code == "missing" else Violation(code, field, message)
