"""Lists by cursor: query parameters, and the response with a link to the next page (RFC 8288)."""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BeforeValidator, Field, WithJsonSchema

from tessera.api.http.fields import RequestModel, Text, choice, parse_error
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_query
from tessera.api.serving.links import link_header, page_link
from tessera.kit.db.pages import CursorPage

DEFAULT_SIZE = 100
MAX_SIZE = 1000

T = TypeVar("T")


def _size(value: Any) -> int:  # noqa: ANN401 - a query parameter
    if not re.fullmatch(r"[0-9]{1,6}", value, re.ASCII) or not 1 <= int(value) <= MAX_SIZE:
        raise parse_error("LimitRange", f"must be an integer from 1 to {MAX_SIZE:,}")
    return int(value)


Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SIZE})]


class CursorQuery(RequestModel):
    """The query parameters of every list by cursor; a list derives its own model with its filters."""

    cursor: Text | None = Field(
        None,
        alias="cursor",
        description="The start of the page, which is `nextCursor` of the previous page.",
        examples=["WyIwMTlhYjBjNC03YjdlLTdjM2EtOWQwZS0yZjZmM2ExYjVjN2QiXQ"],
    )
    limit: Size | None = Field(
        None, alias="limit", description=f"The maximum number of items; default {DEFAULT_SIZE}.", examples=[20]
    )


class Order(Enum):
    """The orders of a list of codes that a client may choose."""

    NEWEST = "newest"


class CodeQuery(CursorQuery):
    """The query parameters of lists of codes; a list derives its own model with its filters."""

    search: Text | None = Field(
        None,
        description="Only codes that begin with this text (not case-sensitive), in the order of codes. With filters or"
        " `order`, at most 10,000 codes may begin with it.",
        examples=["SPR"],
    )
    order: Annotated[Order, *choice(Order)] | None = Field(
        None, description="`newest` lists the newest first.", examples=["newest"]
    )


def read_cursor_query(request: Request, model: type[CursorQuery]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filters, and the arguments `after` and `size` for `fetch_cursor_page`; raises Invalid, Malformed."""
    filters = read_query(request, model).valid_values()
    return filters, {"after": filters.pop("cursor", None), "size": filters.pop("limit", DEFAULT_SIZE)}


def read_code_query(request: Request, model: type[CodeQuery]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filters, and the arguments `search`, `newest`, `after` and `size` of a list of codes."""
    filters, position = read_cursor_query(request, model)
    position["newest"] = filters.pop("order", None) is Order.NEWEST
    position["search"] = filters.pop("search", None)
    return filters, position


def cursor_page_response(request: Request, page: CursorPage[T], items: Sequence[dict[str, Any]]) -> JsonResponse:
    """A page with the position of the next one in the body and as a header; see `next_page`."""
    position, headers = next_page(request, page.cursor)
    return JsonResponse({"data": items, **position}, headers=headers)


def next_page(request: Request, cursor: str | None, **parameters: str) -> tuple[dict[str, str | None], dict[str, str]]:
    """The members `nextLink` and `nextCursor` and the header `Link`; on the last page they are null and absent.

    The link also has these query parameters.
    """
    if cursor is None:
        return {"nextLink": None, "nextCursor": None}, {}
    link = page_link(request, cursor=cursor, **parameters)
    return {"nextLink": link, "nextCursor": cursor}, link_header(link)
