"""Commands on promo codes, one by one; the platform's are the global ones."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli import promo_code_batches, promo_code_files
from tessera.cli.database_sessions import in_organization
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.promo_code_terms import (
    Active,
    Bundles,
    Exams,
    Expires,
    Flat,
    Limit,
    LimitEach,
    Notes,
    Percent,
    all_fields,
    emptied,
    fields,
    read,
)
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedFilter, ManagedPromoCode
from tessera.promo_codes.rules import Kind, PromoCodeDraft, Status

Code = Annotated[str, typer.Argument(help="Its name, in any case, or its id.", metavar="CODE")]
Name = Annotated[str, typer.Argument(help="3 to 25 letters and digits.", metavar="NAME")]
Emails = Annotated[list[str] | None, typer.Option("--email", help="Who may use it; may be given again.")]
Restrict = Annotated[
    bool | None, typer.Option("--restrict-to-emails/--for-everybody", help="Whether only they may use it.")
]
Clear = Annotated[
    list[str] | None,
    typer.Option("--clear", help="What it shall no longer have: notes, expires-at ...; may be given again."),
]

commands = CommandGroup()
commands.add_typer(promo_code_batches.commands, name="batch", help="Many promo codes by one pattern.")
commands.command("import")(promo_code_files.import_promo_codes)
commands.command("export")(promo_code_files.export_promo_codes)


@commands.command("list")
def list_promo_codes(
    organization: Organization,
    name: Annotated[str | None, typer.Option(help="The one of this name.")] = None,
    status: Annotated[Status | None, typer.Option(help="Those of this status.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Percentages, or flat amounts.")] = None,
    exam: Annotated[str | None, typer.Option(help="Those that name this exam.")] = None,
    bundle: Annotated[UUID | None, typer.Option(help="Those that name this bundle.")] = None,
    batch: Annotated[UUID | None, typer.Option(help="Those of this batch.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List promo codes, oldest first; `tessera promo-code export` has all of them."""
    wanted = ManagedFilter(
        name=name, status=status, kind=kind, store_exam_code=exam, product_bundle_id=bundle, batch_id=batch
    )
    part = in_organization(
        start(), organization, lambda work: service.list_by_cursor(work, wanted=wanted, after=None, size=limit)
    )
    show_rows([fields(code) for code in part.items], as_json=as_json, if_none="There are no such promo codes.")


@commands.command("show")
def show_promo_code(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Show one promo code."""
    found = in_organization(start(), organization, lambda work: service.get_by_name(work, code))
    show(f"The promo code {found.name}.", all_fields(found), as_json=as_json)


@commands.command("create")
def create_promo_code(
    organization: Organization,
    name: Name,
    percent: Percent = None,
    flat: Flat = None,
    exam: Exams = None,
    bundle: Bundles = None,
    email: Emails = None,
    restrict: Restrict = None,
    expires: Expires = None,
    max_redemptions: Limit = None,
    max_redemptions_per_candidate: LimitEach = None,
    notes: Notes = None,
    active: Active = False,
    as_json: AsJson = False,
) -> None:
    """Create a promo code: a percentage or a flat amount, for some exams and bundles or for all."""
    given = read(
        discount_percent=percent,
        flat_discount=flat,
        store_exam_codes=exam,
        product_bundle_ids=bundle,
        email_addresses=email,
        expires_at=expires,
        max_redemptions=max_redemptions,
        max_redemptions_per_candidate=max_redemptions_per_candidate,
        notes=notes,
    )
    draft = PromoCodeDraft(name=name, is_active=active, restrict_to_email_addresses=restrict, **given)
    made = in_organization(start(), organization, lambda work: service.create(work, draft=draft, now=clock()))
    show(f"Created the promo code {made.name}.", all_fields(made), as_json=as_json)


@commands.command("edit")
def edit_promo_code(
    organization: Organization,
    code: Code,
    percent: Percent = None,
    flat: Flat = None,
    exam: Exams = None,
    bundle: Bundles = None,
    email: Emails = None,
    restrict: Restrict = None,
    expires: Expires = None,
    max_redemptions: Limit = None,
    max_redemptions_per_candidate: LimitEach = None,
    notes: Notes = None,
    clear: Clear = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, and leave the rest; its name and whether it has a limit in total stay for ever."""
    given = read(
        discount_percent=percent,
        flat_discount=flat,
        store_exam_codes=exam,
        product_bundle_ids=bundle,
        email_addresses=email,
        expires_at=expires,
        max_redemptions=max_redemptions,
        max_redemptions_per_candidate=max_redemptions_per_candidate,
        notes=notes,
    )
    gone = emptied(clear or (), given)
    switched = {} if restrict is None else {"restrict_to_email_addresses": restrict}

    async def edit(work: UnitOfWork) -> ManagedPromoCode:
        found = await service.get_by_name(work, code)
        draft = replace(service.as_draft(found), **(gone | switched | given))
        return await service.update(work, Target(found.id, found.version), draft=draft, now=clock())

    edited = in_organization(start(), organization, edit)
    show(f"Changed the promo code {edited.name}.", all_fields(edited), as_json=as_json)


@commands.command("activate")
def activate_promo_code(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Make an inactive promo code usable."""
    _move("Activated", organization, code, service.activate, as_json=as_json)


@commands.command("deactivate")
def deactivate_promo_code(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Make an active promo code unusable, until it is activated again."""
    _move("Deactivated", organization, code, service.deactivate, as_json=as_json)


@commands.command("archive")
def archive_promo_code(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Put a promo code away for ever; its name stays taken."""
    _move("Archived", organization, code, service.archive, as_json=as_json)


def _move(
    done: str, organization: str, code: str, move: Callable[..., Awaitable[ManagedPromoCode]], *, as_json: bool
) -> None:
    async def find_and_move(work: UnitOfWork) -> ManagedPromoCode:
        found = await service.get_by_name(work, code)
        return await move(work, Target(found.id), now=clock())

    moved = in_organization(start(), organization, find_and_move)
    show(f"{done} the promo code {moved.name}.", all_fields(moved), as_json=as_json)
