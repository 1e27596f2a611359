"""Requests to the management API, read as drafts or as valid values."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request

from tessera.api.http.fields import RequestModel
from tessera.api.http.parsing import ParsedRequest, read_body, read_query
from tessera.kit.errors import Invalid

Draft = TypeVar("Draft")


async def read_draft(request: Request, model: type[RequestModel], draft: Callable[..., Draft]) -> Draft:
    """The draft of a body, whose rules report the fields that cannot be read together with everything else."""
    return draft(**(await read_body(request, model)).draft())


async def read_values(request: Request, model: type[RequestModel]) -> dict[str, Any]:
    """The fields of a body; raises Invalid with every field that cannot be read."""
    return _valid(await read_body(request, model))


def read_filters(request: Request, model: type[RequestModel]) -> dict[str, Any]:
    """The parameters of a query; raises Invalid with every one that cannot be read."""
    return _valid(read_query(request, model))


def _valid(parsed: ParsedRequest) -> dict[str, Any]:
    if parsed.violations:
        raise Invalid(parsed.violations)
    return parsed.values
