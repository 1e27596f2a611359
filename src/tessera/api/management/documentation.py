"""OpenAPI responses and parameters that operations of the management API share."""

from collections.abc import Mapping
from typing import Any

from tessera.api.error_rendering import problem_details
from tessera.api.http import if_match, openapi
from tessera.api.http.fields import RequestModel, ResponseModel
from tessera.api.http.openapi import header, response
from tessera.api.management import csv_responses
from tessera.api.serving import idempotency

Example = Mapping[str, Any]
EXAMPLE_ID = "01906a6e-0000-7000-8000-000000000001"
Responses = dict[int | str, Any]

_LINK = {"headers": {"Link": header("The same URL (RFC 8288); absent on the last page.")}}
_CURSOR = "WyIwMTkwNmE2ZSJd"
_NEXT = {
    "nextLink": f"https://tessera.example.com/management/v1/store-exams?cursor={_CURSOR}",
    "nextCursor": _CURSOR,
}
_BAD_LIMIT = problem_details.documented_invalid("/limit", "LimitRange", "limit must be an integer from 1 to 1,000.")


def listed(model: type[ResponseModel], example: Example, *, within: bool = False) -> Responses:
    """The responses of a list by cursor; with `within`, the list is nested in another resource and can be 404."""
    page = response(model, "A page of the list.", {"data": [example], **_NEXT}) | _LINK
    missing = (404,) if within else ()
    return {200: page, 400: _BAD_LIMIT, **problem_details.documented(401, 403, *missing, 429, 500, 503)}


def retrieved(
    model: type[ResponseModel], example: Example, *, violation: tuple[str, str, str] | None = None
) -> Responses:
    """The responses of retrieving a resource; `violation` is an example, if it has query parameters."""
    current = response(model, "The current representation.", example, headers=if_match.DOCUMENTED)
    return {200: current, 400: _invalid(violation), **problem_details.documented(401, 403, 404, 429, 500, 503)}


def unversioned(model: type[ResponseModel], example: Example) -> Responses:
    """The responses of retrieving an immutable resource."""
    return {
        200: response(model, "The representation.", example),
        400: _invalid(None),
        **problem_details.documented(401, 403, 404, 429, 500, 503),
    }


def created(
    model: type[ResponseModel], example: Example, *, violation: tuple[str, str, str], within: bool = False
) -> Responses:
    """The responses of creating a resource; `violation` is an example: pointer, code and message."""
    missing = (404,) if within else ()
    success = response(model, "The resource was created.", example, headers=if_match.DOCUMENTED)
    bad = problem_details.documented_invalid(*violation)
    return {201: success, 400: bad, **problem_details.documented(401, 403, *missing, 409, 413, 415, 422, 429, 500, 503)}


def changed(
    model: type[ResponseModel], example: Example, *, violation: tuple[str, str, str] | None = None
) -> Responses:
    """The responses of changing a resource; `violation` is an example, for an operation with a body."""
    success = response(model, "The resource was changed.", example, headers=if_match.DOCUMENTED)
    bad = problem_details.documented_invalid(*violation) if violation else problem_details.documented_malformed()
    media = (415,) if violation else ()
    return {
        200: success,
        400: bad,
        **problem_details.documented(401, 403, 404, 409, 412, 413, *media, 422, 428, 429, 500, 503),
    }


def exported(example: str, *, violation: tuple[str, str, str] | None = None, within: bool = False) -> Responses:
    """The responses of a CSV export; `violation` is an example, for an export with filters.

    With `within`, the export is nested in another resource and can be 404.
    """
    missing = (404,) if within else ()
    return {
        200: {"description": "The file.", "content": csv_responses.content(example)},
        400: _invalid(violation),
        **problem_details.documented(401, 403, *missing, 429, 500, 503),
    }


def bulk_changed(model: type[ResponseModel], example: Example, *, violation: tuple[str, str, str]) -> Responses:
    """The responses of a bulk action, with a result for each item."""
    results = response(model, "The result for each item.", example)
    bad = problem_details.documented_invalid(*violation)
    return {200: results, 400: bad, **problem_details.documented(401, 403, 409, 413, 415, 422, 429, 500, 503)}


def replaced(model: type[ResponseModel], example: Example, *, violation: tuple[str, str, str]) -> Responses:
    """The responses of replacing a part of a resource that has no version of its own."""
    current = response(model, "The current representation.", example)
    bad = problem_details.documented_invalid(*violation)
    return {200: current, 400: bad, **problem_details.documented(401, 403, 404, 409, 413, 415, 422, 429, 500, 503)}


def _invalid(violation: tuple[str, str, str] | None) -> dict[str, Any]:
    if violation is None:
        return problem_details.documented_unknown_parameter()
    return problem_details.documented_invalid(*violation)


def listing(query: type[RequestModel], *path: str) -> dict[str, Any]:
    """The parameters of a list: its filters, and the ids in its path."""
    return {"security": openapi.BEARER, "parameters": [*map(_id, path), *openapi.parameters(query)]}


def retrieving(*path: str) -> dict[str, Any]:
    """The parameters of retrieving the resource with these ids."""
    return {"security": openapi.BEARER, "parameters": [*map(_id, path)]}


def creating(model: type[RequestModel], example: Example, *path: str) -> dict[str, Any]:
    """The parameters and the body of creating a resource."""
    return {
        "security": openapi.BEARER,
        "parameters": [*map(_id, path), idempotency.PARAMETER],
        "requestBody": openapi.json_body(model, example),
    }


def changing(
    *path: str,
    model: type[RequestModel] | None = None,
    example: Example | None = None,
    query: type[RequestModel] | None = None,
) -> dict[str, Any]:
    """The parameters and the body, if any, of changing the resource with these ids."""
    documentation: dict[str, Any] = {
        "security": openapi.BEARER,
        "parameters": [
            *map(_id, path),
            *(openapi.parameters(query) if query else ()),
            if_match.PARAMETER,
            idempotency.PARAMETER,
        ],
    }
    if model is not None:
        documentation["requestBody"] = openapi.json_body(model, example or {})
    return documentation


def _id(name: str) -> dict[str, Any]:
    # The demonstration data has resources with these ids.
    example = "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e" if name == "productBundleId" else EXAMPLE_ID
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "The unique identifier.",
        "schema": {"type": "string", "format": "uuid"},
        "example": example,
    }
