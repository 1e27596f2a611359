"""What the operations of the management API have in common, as the OpenAPI document describes it."""

from collections.abc import Mapping
from typing import Any

from tessera.api import idempotency, openapi, problems, versions
from tessera.api.openapi import answer, header
from tessera.api.types import RequestModel, ResponseModel

Example = Mapping[str, Any]
Responses = dict[int | str, Any]

_LINK = {"headers": {"Link": header("The same link (RFC 8288); absent at the end.")}}
_NEXT = "https://tessera.example.com/management/v1/store-exams?cursor=WyIwMTkwNmE2ZSJd"  # FastAPI drops what is null
_BAD_LIMIT = problems.documented_invalid("/limit", "LimitRange", "limit must be an integer from 1 to 1,000.")


def listed(model: type[ResponseModel], example: Example) -> Responses:
    """The answers of a list by cursor."""
    whole = answer(model, "A part of the list.", {"data": [example], "nextLink": _NEXT}) | _LINK
    return {200: whole, 400: _BAD_LIMIT, **problems.documented(401, 403, 500, 503)}


def shown(model: type[ResponseModel], example: Example) -> Responses:
    """The answers of reading one thing."""
    found = answer(model, "It, as it is now.", example, headers=versions.DOCUMENTED)
    return {200: found, **problems.documented(401, 403, 404, 500, 503)}


def unversioned(model: type[ResponseModel], example: Example) -> Responses:
    """The answers of reading one thing that never changes."""
    return {200: answer(model, "It.", example), **problems.documented(401, 403, 404, 500, 503)}


def created(model: type[ResponseModel], example: Example, *, broken: tuple[str, str, str]) -> Responses:
    """The answers of making something; `broken` is a rule that may be broken: pointer, code and sentence."""
    made = answer(model, "It was created.", example, headers=versions.DOCUMENTED)
    bad = problems.documented_invalid(*broken)
    return {201: made, 400: bad, **problems.documented(401, 403, 409, 413, 415, 422, 500, 503)}


def changed(model: type[ResponseModel], example: Example, *, broken: tuple[str, str, str] | None = None) -> Responses:
    """The answers of changing something; `broken` as above, for what has a body."""
    done = answer(model, "It was changed.", example, headers=versions.DOCUMENTED)
    bad = problems.documented_invalid(*broken) if broken else problems.documented_malformed()
    media = (415,) if broken else ()
    return {200: done, 400: bad, **problems.documented(401, 403, 404, 409, 412, 413, *media, 422, 428, 500, 503)}


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
        "parameters": [*map(_id, path), versions.PARAMETER, idempotency.PARAMETER],
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
