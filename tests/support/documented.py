"""Responses to the client that most tests share: their status and body are as the OpenAPI document describes them."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator

from tessera.api.application import create_app


@dataclass(frozen=True)
class Operation:
    """A method and a path of the document, with what its responses are like."""

    method: str
    path: re.Pattern[str]
    responses: dict[str, Any]

    def violation(self, response: httpx.Response) -> str | None:
        """The first way in which a response differs from what the document says, if it does."""
        status, media_type = str(response.status_code), response.headers.get("Content-Type", "").split(";")[0]
        if status not in self.responses:
            return "the status is not documented"
        contents = self.responses[status].get("content", {})
        if not response.content:
            return "a body is documented" if contents else None
        if media_type not in contents:
            return f"{media_type} is not documented"
        if not media_type.endswith("json"):
            return None
        error = next(iter(_validator(json.dumps(contents[media_type]["schema"])).iter_errors(response.json())), None)
        return None if error is None else f"{error.message} at {list(error.instance_path)}"


@cache
def _document() -> dict[str, Any]:
    """The same for all applications; building it takes two seconds."""
    return create_app(None).openapi()  # type: ignore[arg-type]  # the document needs no resources


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema) | {"components": _document()["components"]}, validate_formats=True)


@cache
def _operations() -> list[Operation]:
    # Paths with fewer parameters come first, because `/x/export` is no `/x/{id}`.
    return [
        Operation(method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation["responses"])
        for path, operations in sorted(_document()["paths"].items(), key=lambda each: each[0].count("{"))
        for method, operation in operations.items()
    ]


async def check(response: httpx.Response) -> None:
    """Raise AssertionError for a response that is not as the document describes it, if it has the operation."""
    method, url = response.request.method, response.request.url
    path = url.raw_path.decode().partition("?")[0]  # a parameter may contain an encoded slash
    operation = next((each for each in _operations() if each.method == method and each.path.fullmatch(path)), None)
    if operation is not None:
        await response.aread()
        if violation := operation.violation(response):
            raise AssertionError(f"{method} {url.path} is not as documented: {response.status_code}, {violation}")
