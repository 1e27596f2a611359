"""Commands on single promo codes; the promo codes of the platform are global."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from tessera.cli import promo_code_batches, promo_code_files
from tessera.cli.confirmation import confirm
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.pages import PageOptions
from tessera.cli.options.types import Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.cli.promo_code_files import FilterOptions
from tessera.cli.promo_code_terms import DETAIL_FIELDS, LIST_FIELDS, TermOptions, fields_to_clear
from tessera.kit.clock import clock
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.promo_codes.campaigns import service as campaigns
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedPromoCode
from tessera.promo_codes.rules import PromoCodeDraft

Code = Annotated[str, typer.Argument(help="The name of the code (not case-sensitive) or its id.", metavar="CODE")]
Name = Annotated[str, typer.Argument(help="3 to 25 letters and digits.", metavar="NAME")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilterOptions(FilterOptions):
    """The filters of a list of promo codes."""

    name: Annotated[str | None, typer.Option(help="Only the promo code with this name.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeOptions(TermOptions):
    """The terms of one promo code, and the candidates that can use it."""

    email_addresses: Annotated[
        list[str] | None, typer.Option("--email", help="The address of a candidate that can use it; repeatable.")
    ] = None
    restrict_to_email_addresses: Annotated[
        bool | None, typer.Option("--restrict-to-emails/--for-everybody", help="Restrict it to these addresses.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromoCodeOptions(PromoCodeOptions):
    """The options of a promo code to create."""

    is_active: Annotated[bool, typer.Option("--active", help="Make it usable at once.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeChanges(PromoCodeOptions):
    """The options of an edit; a field without an option does not change."""

    clear: Annotated[
        list[str] | None, typer.Option(help="A field to clear, such as notes or expires-at; repeatable.")
    ] = None


commands = CommandGroup()
commands.add_typer(promo_code_batches.commands, name="batch", help="Batches of random promo codes.")
commands.command("import")(promo_code_files.import_promo_codes)
commands.command("export")(promo_code_files.export_promo_codes)


@commands.command("list")
def list_promo_codes(session: OrganizationSession, filters: ListFilterOptions, page: PageOptions) -> None:
    """List promo codes, newest first. `tessera promo-code export` writes all of them."""

    async def fetch(work: UnitOfWork) -> CursorPage[ManagedPromoCode]:
        matching = await filters.managed_filter(work)
        return await service.list_by_cursor(work, filters=matching, **page.position())

    codes = session.run(fetch)
    rows = [fields_of(code, *LIST_FIELDS) for code in codes.items]
    session.show_rows(rows, if_none="No promo codes match.", cursor=codes.cursor)


@commands.command("show")
def show_promo_code(session: OrganizationSession, code: Code) -> None:
    """Show a promo code."""
    promo_code = session.run(lambda work: service.get_by_name(work, code))
    session.show(f"The promo code {promo_code.name}.", fields_of(promo_code, *DETAIL_FIELDS))


@commands.command("create")
def create_promo_code(session: OrganizationSession, name: Name, options: NewPromoCodeOptions) -> None:
    """Create a promo code. It has a percentage or a flat amount, for all exams and bundles or for some."""

    async def create(work: UnitOfWork) -> ManagedPromoCode:
        draft = PromoCodeDraft(name=name, **await options.values(work))
        return await service.create(work, draft=draft, now=clock())

    promo_code = session.run(create)
    session.show(f"Created the promo code {promo_code.name}.", fields_of(promo_code, *DETAIL_FIELDS))


@commands.command("edit")
def edit_promo_code(session: OrganizationSession, code: Code, options: PromoCodeChanges) -> None:
    """Change the fields that have an option. The name is permanent."""

    async def edit(work: UnitOfWork) -> ManagedPromoCode:
        changes = await options.values(work)
        changes = fields_to_clear(options.clear or (), changes) | changes
        current = await service.get_by_name(work, code)
        draft = replace(service.as_draft(current), **changes)
        return await service.update(work, Target(current.id, current.version), draft=draft, now=clock())

    promo_code = session.run(edit)
    session.show(f"Updated the promo code {promo_code.name}.", fields_of(promo_code, *DETAIL_FIELDS))


@commands.command("activate")
def activate_promo_code(session: OrganizationSession, code: Code) -> None:
    """Activate an inactive promo code."""
    _move("Activated", session, code, service.activate)


@commands.command("deactivate")
def deactivate_promo_code(session: OrganizationSession, code: Code) -> None:
    """Deactivate an active promo code. It can be activated again."""
    _move("Deactivated", session, code, service.deactivate)


@commands.command("deactivate-campaign")
def deactivate_campaign(
    session: OrganizationSession,
    campaign: Annotated[str, typer.Argument(help="The campaign (not case-sensitive).", metavar="CAMPAIGN")],
) -> None:
    """Deactivate all active promo codes of a campaign. Each can be activated again."""
    count, has_more = 0, True
    while has_more:
        result = session.run(lambda work: campaigns.deactivate(work, campaign, now=clock()))
        count, has_more = count + result.promo_codes, result.has_more
    fields = {"campaign": result.campaign, "promoCodes": count}
    session.show(f"Deactivated {count:,} promo codes of the campaign {result.campaign}.", fields)


@commands.command("archive")
def archive_promo_code(session: OrganizationSession, code: Code, *, yes: Yes = False) -> None:
    """Archive a promo code (permanent). Its name cannot be reused."""
    confirm(f"Archive the promo code {code} permanently?", yes=yes)
    _move("Archived", session, code, service.archive)


def _move(verb: str, session: OrganizationSession, code: str, move: Callable[..., Awaitable[ManagedPromoCode]]) -> None:
    async def find_and_move(work: UnitOfWork) -> ManagedPromoCode:
        current = await service.get_by_name(work, code)
        return await move(work, Target(current.id), now=clock())

    promo_code = session.run(find_and_move)
    session.show(f"{verb} the promo code {promo_code.name}.", fields_of(promo_code, *DETAIL_FIELDS))
