"""Lists by page number, as the Certiverse documents define them, with a link to the next page."""

from typing import Any

import orjson
from fastapi import Request

from tessera.api.http.json import JsonResponse
from tessera.api.serving.links import link_header, next_link
from tessera.kit.db.pages import JsonPage, Page


def numbered_page_response(
    request: Request,
    page: Page[Any] | JsonPage,
    items: list[dict[str, Any]] | None = None,
    *,
    null_link_at_end: bool = False,
) -> JsonResponse:
    """A page with `nextLink` and the same link as a header; on the last page, `nextLink` is null or absent.

    The database has written the items of a JsonPage.
    """
    data = orjson.Fragment(f"[{page.objects}]") if isinstance(page, JsonPage) else items
    if not page.has_next:
        return JsonResponse({"data": data, "nextLink": None} if null_link_at_end else {"data": data})
    link = next_link(request, number=page.number)
    return JsonResponse({"data": data, "nextLink": link}, headers=link_header(link))
