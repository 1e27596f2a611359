"""Commands on product bundles."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from tessera.catalog.product_bundles import service as bundles
from tessera.catalog.product_bundles.service import ManagedProductBundle, ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft
from tessera.cli.lookups import catalog as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Name, Price, parse_decimal
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock

Exams = Annotated[list[str], typer.Option("--exam", help="The code of an exam in the bundle; repeatable.")]

Bundle = Annotated[str, typer.Argument(help="The bundle's name (any case) or id.", metavar="BUNDLE")]

commands = CommandGroup()


@commands.command("create")
def create_bundle(session: OrganizationSession, name: Name, price: Price, store_exam_codes: Exams) -> None:
    """Create a product bundle, which sells several exams together."""
    draft = ProductBundleDraft(name=name, price=parse_decimal("price", price), store_exam_codes=tuple(store_exam_codes))
    bundle = session.run(lambda work: bundles.create(work, draft=draft, now=clock()))
    session.show(f"Created the bundle {bundle.name}.", _fields(bundle))


@commands.command("list")
def list_bundles(session: OrganizationSession) -> None:
    """List product bundles including archived ones, newest first."""
    rows = session.fetch_newest(partial(bundles.list_by_cursor, filters=ProductBundleFilter()))
    session.show_rows([_fields(bundle) for bundle in rows], if_none="There are no product bundles yet.")


@commands.command("update")
def update_bundle(
    session: OrganizationSession, bundle: Bundle, name: Name, price: Price, store_exam_codes: Exams
) -> None:
    """Replace the name, the price and the exams of a product bundle."""
    draft = ProductBundleDraft(name=name, price=parse_decimal("price", price), store_exam_codes=tuple(store_exam_codes))
    _change(session, bundle, partial(bundles.update, draft=draft), "Changed")


@commands.command("archive")
def archive_bundle(session: OrganizationSession, bundle: Bundle) -> None:
    """Archive a product bundle, which is then no longer sold."""
    _change(session, bundle, bundles.archive, "Archived")


@commands.command("activate")
def activate_bundle(session: OrganizationSession, bundle: Bundle) -> None:
    """Reactivate an archived product bundle."""
    _change(session, bundle, bundles.activate, "Reactivated")


def _change(
    session: OrganizationSession, name_or_id: str, change: Callable[..., Awaitable[ManagedProductBundle]], verb: str
) -> None:
    bundle = session.change(lookups.bundle_id, name_or_id, change)
    session.show(f"{verb} the bundle {bundle.name}.", _fields(bundle))


def _fields(bundle: ManagedProductBundle) -> Fields:
    return fields_of(bundle, "name", "price", "status", "store_exam_codes", "id")
