"""Parsing requests field by field, so that every violation is collected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from tessera.api.http.errors import Malformed, RequestTooLarge, UnsupportedMediaType
from tessera.api.http.fields import RequestModel
from tessera.kit.errors import NotFound, Violation

MAX_BODY_BYTES = 1024 * 1024
IMPORTS = "/management/v1/promo-code-imports"
_LARGER = {IMPORTS: 100 * 1024 * 1024}


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """The values of a request by domain name, and the violations of the fields that could not be parsed."""

    values: dict[str, Any] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def draft(self) -> dict[str, Any]:
        """The arguments of a draft; a field that could not be parsed is None and listed in `parse_violations`."""
        unreadable = dict.fromkeys((violation.field.partition("/")[0] for violation in self.violations), None)
        return {**self.values, **unreadable, "parse_violations": tuple(self.violations)}


@lru_cache
def _readers(model: type[RequestModel]) -> dict[str, tuple[str, bool, TypeAdapter[Any]]]:
    return {
        name: (info.alias or name, info.is_required(), TypeAdapter(info.rebuild_annotation()))
        for name, info in model.model_fields.items()
    }


def read_query(request: Request, model: type[RequestModel]) -> ParsedRequest:
    """The query parameters; an empty one counts as absent, unknown ones are ignored. Raises Malformed."""
    parameters: dict[str, str] = {}
    repeated = []
    for name, value in query_items(request):
        if value and name in parameters:
            repeated.append(name)
        if value:
            parameters[name] = value
    reading = _read(model, parameters)
    for name, (alias, _, _) in _readers(model).items():
        if alias in repeated:
            reading.values.pop(name, None)
            reading.violations.append(Violation("Repeated", name, "must be given once"))
    return reading


def body_limit(path: str) -> int:
    """The maximum size of a body sent to this path, in bytes."""
    return _LARGER.get(path, MAX_BODY_BYTES)


async def receive_body(request: Request) -> None:
    """Receive the whole body before a database connection is taken: slow uploads must not use up the pool.

    `read_body` raises the error of a body that is too large.
    """
    try:
        await request.body()
    except RequestTooLarge as error:
        request.state.refused_body = error


async def size_of_body(request: Request) -> int:
    """The number of bytes of a received body; 0 if it is too large."""
    return 0 if hasattr(request.state, "refused_body") else len(await request.body())


async def read_body(request: Request, model: type[RequestModel]) -> ParsedRequest:
    """The fields of a JSON object; null counts as absent. Raises Malformed, UnsupportedMediaType, RequestTooLarge."""
    # The documents do not require the header, so a request without it is parsed as JSON.
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("application/json")
    if isinstance(too_large := getattr(request.state, "refused_body", None), RequestTooLarge):
        raise too_large
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Malformed("The request body is not valid JSON.") from error
    if not isinstance(content, dict):
        raise Malformed("The request body must be a JSON object.")
    return _read(model, {name: value for name, value in content.items() if value is not None})


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
    """The id in the path; raises NotFound if it is not a UUID, since every id is one."""
    try:
        return UUID(request.path_params[name])
    except ValueError as error:
        raise NotFound("There is nothing of this id.") from error


def _read(model: type[RequestModel], parameters: Mapping[str, Any]) -> ParsedRequest:
    reading = ParsedRequest()
    for name, (alias, required, adapter) in _readers(model).items():
        if alias not in parameters:
            if required:
                reading.violations.append(Violation("Required", name, "is required"))
            continue
        try:
            reading.values[name] = adapter.validate_python(parameters[alias])
        except ValidationError as error:
            reading.violations.extend(_violations(name, error))
    return reading


def _violations(name: str, error: ValidationError) -> list[Violation]:
    # The path of a nested value is in wire names: "candidate/email", "codes/3".
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [_violation(each["type"], "/".join([name, *map(str, each["loc"])]), each["msg"]) for each in errors]


def _violation(code: str, field: str, message: str) -> Violation:
    return Violation("Required", field, "is required") if code == "missing" else Violation(code, field, message)
