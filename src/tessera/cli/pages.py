"""Reading all pages of a list."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tessera.kit.db.pages import CursorPage

Item = TypeVar("Item")

PAGE_SIZE = 1000


async def fetch_all(fetch_page: Callable[[str | None], Awaitable[CursorPage[Item]]]) -> list[Item]:
    """The items of all pages; `fetch_page` gets the cursor of the page before, None for the first page."""
    page = await fetch_page(None)
    items = [*page.items]
    while page.cursor is not None:
        page = await fetch_page(page.cursor)
        items += page.items
    return items
