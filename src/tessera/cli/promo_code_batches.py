"""Commands on batches of promo codes."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.database_sessions import OrganizationDatabase, with_organization
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Limit
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.cli.progress import bar
from tessera.cli.promo_code_terms import TermOptions
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.promo_codes.batches import service
from tessera.promo_codes.batches.rules import ALPHABET, BatchDraft, BatchStatus, Pattern
from tessera.promo_codes.batches.service import Batch
from tessera.promo_codes.rules import PromoCodeDraft

Id = Annotated[UUID, typer.Argument(help="The id of the batch.", metavar="BATCH")]
Background = Annotated[bool, typer.Option("--background", help="Let a worker generate the codes, and return at once.")]
LIST_FIELDS = ("id", "status", "quantity", "made", "prefix", "created_at", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions(TermOptions):
    """The quantity, the pattern and the terms of the codes of a batch."""

    quantity: Annotated[int, typer.Option(help="The number of codes, up to 1,000,000.")]
    length: Annotated[int, typer.Option(help="The number of random characters after the prefix.")]
    prefix: Annotated[str, typer.Option(help="The beginning of each code.")] = ""
    alphabet: Annotated[str, typer.Option(help="The characters to choose from, each once.")] = ALPHABET
    is_active: Annotated[bool, typer.Option("--active", help="Make the codes usable at once.")] = False

    async def draft(self, work: UnitOfWork) -> BatchDraft:
        """The draft of the batch; its rules report invalid options. Raises NotFound, Conflict."""
        pattern = Pattern(prefix=self.prefix, length=self.length, alphabet=self.alphabet)
        return BatchDraft(pattern=pattern, quantity=self.quantity, codes=PromoCodeDraft(**await self.values(work)))


commands = CommandGroup()


@commands.command("create")
def create_batch(session: OrganizationSession, options: BatchOptions, *, background: Background = False) -> None:
    """Create promo codes with random names and the same terms.

    If the command is interrupted, a worker generates the remaining codes.
    """

    async def create(database: OrganizationDatabase) -> Batch:
        async with database.unit_of_work() as work:
            batch = await service.create(work, draft=await options.draft(work), now=clock())
        return batch if background else await _generate(database, batch)

    batch = with_organization(start(), session.organization, create)
    session.show("Created the batch.", _fields(batch))
    if background:
        session.warn_without_worker()


@commands.command("list")
def list_batches(session: OrganizationSession, limit: Limit = 100, cursor: Cursor = None) -> None:
    """List batches with their progress, newest first."""
    page = session.run(lambda work: service.list_by_cursor(work, newest=True, after=cursor, size=limit))
    rows = [fields_of(batch, *LIST_FIELDS) for batch in page.items]
    session.show_rows(rows, if_none="There are no batches yet.", cursor=page.cursor)


@commands.command("show")
def show_batch(session: OrganizationSession, batch: Id) -> None:
    """Show a batch and its progress."""
    current = session.run(lambda work: service.get(work, batch))
    session.show("The batch.", _fields(current))


@commands.command("cancel")
def cancel_batch(session: OrganizationSession, batch: Id) -> None:
    """Stop the generation of a batch; existing codes remain."""
    current = session.run(lambda work: service.cancel(work, Target(batch), now=clock()))
    session.show("Cancelled the batch.", _fields(current))


@commands.command("resume")
def resume_batch(session: OrganizationSession, batch: Id, *, background: Background = False) -> None:
    """Resume a cancelled batch."""

    async def resume(database: OrganizationDatabase) -> Batch:
        async with database.unit_of_work() as work:
            current = await service.resume(work, Target(batch), now=clock())
        return current if background else await _generate(database, current)

    current = with_organization(start(), session.organization, resume)
    session.show("Resumed the batch.", _fields(current))
    if background:
        session.warn_without_worker()


def _fields(batch: Batch) -> Fields:
    # Not "percent", which reads like the discount.
    return fields_of(batch, *LIST_FIELDS, "percent", percent="progressPercent")


async def _generate(database: OrganizationDatabase, batch: Batch) -> Batch:
    # The job of the batch is queued too, so a running worker shares the work and finishes it after an interruption.
    with bar("Generating", length=batch.quantity) as set_position:
        while batch.status == BatchStatus.IN_PROGRESS:
            async with database.unit_of_work() as work:
                batch = await service.create_next_codes(work, batch.id, now=clock())
            set_position(batch.made)
    return batch
