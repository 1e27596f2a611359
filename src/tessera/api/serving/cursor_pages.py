"""Lists by cursor: what is asked for, and the links to what comes next (RFC 8288)."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BeforeValidator, Field, WithJsonSchema

from tessera.api.http.fields import RequestModel, Text, refuse
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_query
from tessera.api.serving.links import link_header, link_to_part
from tessera.kit.db.pages import CursorPage
from tessera.kit.errors import Invalid

DEFAULT_SIZE = 100
MAX_SIZE = 1000

T = TypeVar("T")


def _size(value: Any) -> int:  # noqa: ANN401 - whatever a query holds
    if not re.fullmatch(r"[0-9]{1,6}", value, re.ASCII) or not 1 <= int(value) <= MAX_SIZE:
        raise refuse("LimitRange", f"must be an integer from 1 to {MAX_SIZE:,}")
    return int(value)


Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SIZE})]


class CursorQuery(RequestModel):
    """Which part of a list; the filters of a list are fields of its own model, derived from this one."""

    cursor: Text | None = Field(
        None,
        alias="cursor",
        description="Where to go on, from the link of the part before.",
        examples=["WyIwMTlhYjBjNC03YjdlLTdjM2EtOWQwZS0yZjZmM2ExYjVjN2QiXQ"],
    )
    limit: Size | None = Field(
        None, alias="limit", description=f"How many at most; {DEFAULT_SIZE} unless given.", examples=[20]
    )


def read_cursor_query(request: Request, model: type[CursorQuery]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filters, and `after` and `size` as `fetch_cursor_page` takes them; raises Invalid, Malformed."""
    reading = read_query(request, model)
    if reading.violations:
        raise Invalid(reading.violations)
    filters = reading.values
    return filters, {"after": filters.pop("cursor", None), "size": filters.pop("limit", DEFAULT_SIZE)}


def cursor_page_response(request: Request, part: CursorPage[T], items: Sequence[dict[str, Any]]) -> JsonResponse:
    """The part of a list with the link to the next one, in the body and as a header; null and absent at the end."""
    if part.cursor is None:
        return JsonResponse({"data": items, "nextLink": None})
    link = link_to_part(request, cursor=part.cursor)
    return JsonResponse({"data": items, "nextLink": link}, headers=link_header(link))
