"""Parsing of requests to the management API into drafts or valid values."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request

from tessera.api.http.fields import RequestModel
from tessera.api.http.parsing import read_body, read_query

Draft = TypeVar("Draft")


async def read_draft(request: Request, model: type[RequestModel], draft: Callable[..., Draft]) -> Draft:
    """A draft from the body; its rules report fields that cannot be parsed together with all other violations."""
    return draft(**(await read_body(request, model)).draft())


async def read_values(request: Request, model: type[RequestModel]) -> dict[str, Any]:
    """The fields of the body; raises Invalid with every field that cannot be parsed."""
    return (await read_body(request, model)).valid_values()


def read_filters(request: Request, model: type[RequestModel]) -> dict[str, Any]:
    """The query parameters; raises Invalid with every parameter that cannot be parsed."""
    return read_query(request, model).valid_values()
