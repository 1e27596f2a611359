"""The options of a page of a long list of codes."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from tessera.cli.options.types import Cursor, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """The beginning of the codes, and the position of the page."""

    search: Annotated[
        str | None,
        typer.Option("--search", help="Only codes that begin with this text, in any case, in the order of codes."),
    ] = None
    limit: Limit = 100
    cursor: Cursor = None

    def position(self) -> dict[str, Any]:
        """The arguments of the service: the newest codes first, or those that begin with a text in their order."""
        return {"search": self.search, "newest": self.search is None, "after": self.cursor, "size": self.limit}
