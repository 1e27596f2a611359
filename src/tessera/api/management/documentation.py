"""What the operations of the management API have in common, as the OpenAPI document describes it."""

from collections.abc import Mapping
from typing import Any

from tessera.api.error_rendering import problem_details
from tessera.api.http import if_match, openapi
from tessera.api.http.fields import RequestModel, ResponseModel
from tessera.api.http.openapi import header, response
from tessera.api.serving import idempotency

Example = Mapping[str, Any]
Responses = dict[int | str, Any]

_LINK = {"headers": {"Link": header("The same link (RFC 8288); absent at the end.")}}
_NEXT = "https://tessera.example.com/management/v1/store-exams?cursor=WyIwMTkwNmE2ZSJd"  # FastAPI drops what is null
_BAD_LIMIT = problem_details.documented_invalid("/limit", "LimitRange", "limit must be an integer from 1 to 1,000.")


def listed(model: type[ResponseModel], example: Example, *, within: bool = False) -> Responses:
    """The answers of a list by cursor; `within` another thing, which may not be there."""
    whole = response(model, "A part of the list.", {"data": [example], "nextLink": _NEXT}) | _LINK
    missing = (404,) if within else ()
    return {200: whole, 400: _BAD_LIMIT, **problem_details.documented(401, 403, *missing, 500, 503)}


def shown(model: type[ResponseModel], example: Example) -> Responses:
    """The answers of reading one thing."""
    found = response(model, "It, as it is now.", example, headers=if_match.DOCUMENTED)
    return {200: found, **problem_details.documented(401, 403, 404, 500, 503)}


def unversioned(model: type[ResponseModel], example: Example) -> Responses:
    """The answers of reading one thing that never changes."""
    return {200: response(model, "It.", example), **problem_details.documented(401, 403, 404, 500, 503)}


def created(
    model: type[ResponseModel], example: Example, *, broken: tuple[str, str, str], within: bool = False
) -> Responses:
    """The answers of making something; `broken` is a rule that may be broken: pointer, code and sentence."""
    missing = (404,) if within else ()
    made = response(model, "It was created.", example, headers=if_match.DOCUMENTED)
    bad = problem_details.documented_invalid(*broken)
    return {201: made, 400: bad, **problem_details.documented(401, 403, *missing, 409, 413, 415, 422, 500, 503)}


def changed(model: type[ResponseModel], example: Example, *, broken: tuple[str, str, str] | None = None) -> Responses:
    """The answers of changing something; `broken` as above, for what has a body."""
    done = response(model, "It was changed.", example, headers=if_match.DOCUMENTED)
    bad = problem_details.documented_invalid(*broken) if broken else problem_details.documented_malformed()
    media = (415,) if broken else ()
    return {200: done, 400: bad, **problem_details.documented(401, 403, 404, 409, 412, 413, *media, 422, 428, 500, 503)}


def exported(example: str, *, broken: tuple[str, str, str] | None = None) -> Responses:
    """The answers of an export as CSV; `broken` is a filter that cannot be read, where there are filters."""
    content = {"text/csv": {"schema": {"type": "string"}, "example": example}}
    bad: Responses = {400: problem_details.documented_invalid(*broken)} if broken else {}
    return {
        200: {"description": "The file.", "content": content},
        **bad,
        **problem_details.documented(401, 403, 500, 503),
    }


def done(model: type[ResponseModel], example: Example, *, broken: tuple[str, str, str]) -> Responses:
    """The answers of doing something to many things at once, each of which has its own result."""
    what_came = response(model, "What came of each.", example)
    bad = problem_details.documented_invalid(*broken)
    return {200: what_came, 400: bad, **problem_details.documented(401, 403, 409, 413, 415, 422, 500, 503)}


def listing(query: type[RequestModel], *path: str) -> dict[str, Any]:
    """What a list reads: its filters, and ids in its path."""
    return {"security": openapi.BEARER, "parameters": [*map(_id, path), *openapi.parameters(query)]}


def reading(*path: str) -> dict[str, Any]:
    """What an operation reads that shows the thing with this id."""
    return {"security": openapi.BEARER, "parameters": [*map(_id, path)]}


def making(model: type[RequestModel], example: Example, *path: str) -> dict[str, Any]:
    """What an operation reads that makes something."""
    return {
        "security": openapi.BEARER,
        "parameters": [*map(_id, path), idempotency.PARAMETER],
        "requestBody": openapi.json_body(model, example),
    }


def changing(*path: str, model: type[RequestModel] | None = None, example: Example | None = None) -> dict[str, Any]:
    """What an operation reads that changes the thing with this id, by a body or without one."""
    described: dict[str, Any] = {
        "security": openapi.BEARER,
        "parameters": [*map(_id, path), if_match.PARAMETER, idempotency.PARAMETER],
    }
    if model is not None:
        described["requestBody"] = openapi.json_body(model, example or {})
    return described


def _id(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "Its id.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "01906a6e-0000-7000-8000-000000000001",
    }
