"""The options of a page of a long list of codes."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from tessera.cli.options.types import Cursor, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """The text that codes begin with, and the size and the position of the page."""

    search: Annotated[
        str | None,
        typer.Option("--search", help="Only codes that begin with this text, in any case, in the order of codes."),
    ] = None
    limit: Limit = 100
    cursor: Cursor = None

    def position(self) -> dict[str, Any]:
        """The arguments of the service; a search is in the order of codes, other lists begin with the newest."""
        return {"search": self.search, "newest": self.search is None, "after": self.cursor, "size": self.limit}
