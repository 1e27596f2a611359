"""Every response of the application in a test has a status that its OpenAPI document names for the operation."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI


@cache
def _statuses(app: FastAPI) -> list[tuple[str, re.Pattern[str], frozenset[int]]]:
    return list(_operations(app.openapi()["paths"]))


def _operations(paths: dict[str, Any]) -> Iterator[tuple[str, re.Pattern[str], frozenset[int]]]:
    # Paths without parameters come first, because `/x/export` is no `/x/{id}`.
    for path in sorted(paths, key=lambda each: each.count("{")):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method, operation in paths[path].items():
            yield method.upper(), pattern, frozenset(map(int, operation["responses"]))


def undocumented_status(app: FastAPI, response: httpx.Response) -> str | None:
    """The request and the status of a response whose operation does not name the status."""
    request = response.request
    for method, pattern, statuses in _statuses(app):
        if method == request.method and pattern.fullmatch(request.url.path):
            return None if response.status_code in statuses else f"{method} {request.url.path} {response.status_code}"
    return None
