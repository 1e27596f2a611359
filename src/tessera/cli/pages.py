"""Reading all pages of a list."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tessera.kit.db.pages import CursorPage

Item = TypeVar("Item")

PAGE_SIZE = 1000


async def fetch_all(fetch_page: Callable[..., Awaitable[CursorPage[Item]]]) -> list[Item]:
    """The items of all pages; `fetch_page` takes the cursor of the previous page as `after`, and `size`."""
    page = await fetch_page(after=None, size=PAGE_SIZE)
    items = [*page.items]
    while page.cursor is not None:
        page = await fetch_page(after=page.cursor, size=PAGE_SIZE)
        items += page.items
    return items
