"""Responses to the client that most tests share: their status and body are as the OpenAPI document describes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator


@dataclass(frozen=True)
class Operation:
    """A method and a path of the document, with what its responses are like."""

    method: str
    path: re.Pattern[str]
    responses: dict[str, Any]
    components: dict[str, Any]
    _validators: dict[tuple[str, str], Draft202012Validator] = field(default_factory=dict)

    def is_of(self, request: httpx.Request) -> bool:
        path = request.url.raw_path.decode().partition("?")[0]  # a parameter may contain an encoded slash
        return self.method == request.method and self.path.fullmatch(path) is not None

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
        if (status, media_type) not in self._validators:
            schema = contents[media_type]["schema"] | {"components": self.components}
            self._validators[status, media_type] = Draft202012Validator(schema, validate_formats=True)
        error = next(iter(self._validators[status, media_type].iter_errors(response.json())), None)
        return None if error is None else f"{error.message} at {list(error.instance_path)}"


@cache
def operations(app: FastAPI) -> list[Operation]:
    document = app.openapi()
    return list(_operations(document["paths"], document["components"]))


def _operations(paths: dict[str, Any], components: dict[str, Any]) -> Iterator[Operation]:
    # Paths with fewer parameters come first, because `/x/export` is no `/x/{id}`.
    for path in sorted(paths, key=lambda each: each.count("{")):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method, operation in paths[path].items():
            yield Operation(method.upper(), pattern, operation["responses"], components)


async def check(app: FastAPI, response: httpx.Response) -> None:
    """Raise AssertionError for a response that is not as the document describes it, if it has the operation."""
    operation = next((each for each in operations(app) if each.is_of(response.request)), None)
    if operation is not None:
        await response.aread()
        if violation := operation.violation(response):
            url = response.request.url.path
            raise AssertionError(f"{operation.method} {url} is not as documented: {response.status_code}, {violation}")
