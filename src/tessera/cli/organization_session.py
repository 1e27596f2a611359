"""One command in one organization: its options, its unit of work and its output."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

import typer

from tessera.cli import output
from tessera.cli.database_sessions import Action, Result, in_organization
from tessera.cli.options.types import AsJson, Organization, RequiredOrganization
from tessera.cli.output import Fields
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.database import Access
from tessera.kit.db.job_queue import has_live_worker
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target

Item = TypeVar("Item")
FindId = Callable[[UnitOfWork, str], Awaitable[UUID]]
PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class OrganizationSession:
    """The options `--organization` and `--json` of every command in an organization."""

    organization: Organization = None
    as_json: AsJson = False

    def run(self, action: Action[Result], *, access: Access = Access.CHANGE) -> Result:
        """Run one unit of work in the organization; raises NotFound."""
        return in_organization(start(), self.organization, action, access=access)

    def run_on(
        self, find_id: FindId, reference: str, action: Callable[[UnitOfWork, UUID], Awaitable[Result]]
    ) -> Result:
        """Run one unit of work on the resource that a name, code or id refers to; raises NotFound."""

        async def find_and_act(work: UnitOfWork) -> Result:
            return await action(work, await find_id(work, reference))

        return self.run(find_and_act)

    def change(self, find_id: FindId, reference: str, change: Callable[..., Awaitable[Result]]) -> Result:
        """Apply a function of its service to the resource that a name, code or id refers to; raises NotFound."""
        return self.run_on(find_id, reference, lambda work, row_id: change(work, Target(row_id), now=clock()))

    def fetch_newest(self, fetch_page: Callable[..., Awaitable[CursorPage[Item]]]) -> list[Item]:
        """The items of all pages of a list, newest first; `fetch_page` takes a unit of work, `after` and `size`."""
        return self.run(lambda work: fetch_all(partial(fetch_page, work)))[::-1]

    def warn_without_worker(self) -> None:
        """Print a warning, on standard error, if queued jobs wait for a worker."""
        if not self.run(has_live_worker):
            typer.echo("No worker is running: the job waits until `tessera worker` or `tessera serve` runs.", err=True)

    def show(self, sentence: str, fields: Fields) -> None:
        """Print the result of the command."""
        output.show(sentence, fields, as_json=self.as_json)

    def show_secret(self, sentence: str, fields: Fields) -> None:
        """Print the result of the command with a secret that is shown only once."""
        output.show_secret(sentence, fields, as_json=self.as_json)

    def show_rows(self, rows: Sequence[Fields], *, if_none: str, cursor: str | None = None) -> None:
        """Print one line for each record."""
        output.show_rows(rows, as_json=self.as_json, if_none=if_none, cursor=cursor)


@dataclass(frozen=True, slots=True)
class NamedOrganizationSession(OrganizationSession):
    """One command on an organization itself, which must be named."""

    organization: RequiredOrganization


async def fetch_all(fetch_page: Callable[..., Awaitable[CursorPage[Item]]]) -> list[Item]:
    """The items of all pages; `fetch_page` takes the cursor of the previous page as `after`, and `size`."""
    page = await fetch_page(after=None, size=PAGE_SIZE)
    items = [*page.items]
    while page.cursor is not None:
        page = await fetch_page(after=page.cursor, size=PAGE_SIZE)
        items += page.items
    return items
