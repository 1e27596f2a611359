"""Commands on batches of promo codes."""

from typing import Annotated, Any
from uuid import UUID

import typer

from tessera.cli.database_sessions import OrganizationDatabase, in_organization, with_organization
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.progress import bar
from tessera.cli.promo_code_terms import Active, Bundles, Exams, Expires, Flat, Limit, LimitEach, Notes, Percent, read
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.editing import Target
from tessera.promo_codes.batches import service
from tessera.promo_codes.batches.rules import ALPHABET, BatchDraft, BatchStatus, Pattern
from tessera.promo_codes.batches.service import Batch
from tessera.promo_codes.rules import PromoCodeDraft

Id = Annotated[UUID, typer.Argument(help="Its id.", metavar="BATCH")]
Background = Annotated[bool, typer.Option("--background", help="Leave it to a worker, and do not wait.")]

commands = CommandGroup()


@commands.command("create")
def create_batch(
    organization: Organization,
    quantity: Annotated[int, typer.Option(help="How many codes, up to 1,000,000.")],
    length: Annotated[int, typer.Option(help="How many random characters follow the prefix.")],
    prefix: Annotated[str, typer.Option(help="What each code begins with.")] = "",
    alphabet: Annotated[str, typer.Option(help="The random characters, each once.")] = ALPHABET,
    percent: Percent = None,
    flat: Flat = None,
    exam: Exams = None,
    bundle: Bundles = None,
    expires: Expires = None,
    max_redemptions: Limit = None,
    max_redemptions_per_candidate: LimitEach = None,
    notes: Notes = None,
    active: Active = False,
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Make many promo codes, which all give the same. Whatever ends this command, a worker makes the rest."""
    given = read(
        discount_percent=percent,
        flat_discount=flat,
        store_exam_codes=exam,
        product_bundle_ids=bundle,
        expires_at=expires,
        max_redemptions=max_redemptions,
        max_redemptions_per_candidate=max_redemptions_per_candidate,
        notes=notes,
    )
    pattern = Pattern(prefix=prefix, length=length, alphabet=alphabet)
    draft = BatchDraft(pattern=pattern, quantity=quantity, codes=PromoCodeDraft(is_active=active, **given))

    async def create(place: OrganizationDatabase) -> Batch:
        async with place.unit_of_work() as work:
            batch = await service.create(work, draft=draft, now=clock())
        return batch if background else await _make(place, batch)

    show("Made the batch.", _fields(with_organization(start(), organization, create)), as_json=as_json)


@commands.command("list")
def list_batches(
    organization: Organization,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List batches, oldest first, each with how far it is."""
    part = in_organization(start(), organization, lambda work: service.list_by_cursor(work, after=None, size=limit))
    show_rows([_fields(batch) for batch in part.items], as_json=as_json, if_none="There are no batches yet.")


@commands.command("show")
def show_batch(organization: Organization, batch: Id, as_json: AsJson = False) -> None:
    """Show how far a batch is."""
    found = in_organization(start(), organization, lambda work: service.get(work, batch))
    show("The batch.", _fields(found), as_json=as_json)


@commands.command("cancel")
def cancel_batch(organization: Organization, batch: Id, as_json: AsJson = False) -> None:
    """Make no more codes of a batch; those that are there stay."""
    cancelled = in_organization(start(), organization, lambda work: service.cancel(work, Target(batch), now=clock()))
    show("Cancelled the batch.", _fields(cancelled), as_json=as_json)


@commands.command("resume")
def resume_batch(
    organization: Organization, batch: Id, background: Background = False, as_json: AsJson = False
) -> None:
    """Go on with a batch that was cancelled."""

    async def resume(place: OrganizationDatabase) -> Batch:
        async with place.unit_of_work() as work:
            resumed = await service.resume(work, Target(batch), now=clock())
        return resumed if background else await _make(place, resumed)

    show("Resumed the batch.", _fields(with_organization(start(), organization, resume)), as_json=as_json)


async def _make(place: OrganizationDatabase, batch: Batch) -> Batch:
    # Its job is queued as well: a worker that runs takes turns with this command, and goes on where this is ended.
    with bar("Making", length=batch.quantity) as reach:
        while batch.status == BatchStatus.IN_PROGRESS:
            async with place.unit_of_work() as work:
                batch = await service.make_some(work, batch.id, now=clock())
            reach(batch.made)
    return batch


def _fields(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "status": batch.status,
        "quantity": batch.quantity,
        "made": batch.made,
        "percent": batch.percent,
        "prefix": batch.prefix,
        "length": batch.length,
        "createdAt": batch.created_at,
    }
