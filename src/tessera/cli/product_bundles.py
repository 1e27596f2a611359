"""Commands on product bundles."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from tessera.catalog.product_bundles import service as bundles
from tessera.catalog.product_bundles.service import ManagedProductBundle, ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Id, Name, Price, parse_decimal, parse_id
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.kit.editing import Target

Exams = Annotated[list[str], typer.Option("--exam", help="The code of an exam in the bundle; repeatable.")]

commands = CommandGroup()


@commands.command("create")
def create_bundle(session: OrganizationSession, name: Name, price: Price, exam: Exams) -> None:
    """Create a product bundle, which sells several exams together."""
    draft = ProductBundleDraft(name=name, price=parse_decimal("price", price), store_exam_codes=tuple(exam))
    bundle = session.run(lambda work: bundles.create(work, draft=draft, now=clock()))
    session.show(f"Created the bundle {bundle.name}.", _fields(bundle))


@commands.command("list")
def list_bundles(session: OrganizationSession) -> None:
    """List product bundles including archived ones, oldest first."""
    rows = session.fetch_all(partial(bundles.list_by_cursor, filters=ProductBundleFilter()))
    session.show_rows([_fields(bundle) for bundle in rows], if_none="There are no product bundles yet.")


@commands.command("update")
def update_bundle(session: OrganizationSession, bundle_id: Id, name: Name, price: Price, exam: Exams) -> None:
    """Replace the name, the price and the exams of a product bundle."""
    draft = ProductBundleDraft(name=name, price=parse_decimal("price", price), store_exam_codes=tuple(exam))
    target = Target(parse_id(bundle_id))
    bundle = session.run(lambda work: bundles.update(work, target, draft=draft, now=clock()))
    session.show(f"Changed the bundle {bundle.name}.", _fields(bundle))


@commands.command("archive")
def archive_bundle(session: OrganizationSession, bundle_id: Id) -> None:
    """Archive a product bundle, which is then no longer sold."""
    _move(session, bundle_id, bundles.archive, "Archived")


@commands.command("activate")
def activate_bundle(session: OrganizationSession, bundle_id: Id) -> None:
    """Reactivate an archived product bundle."""
    _move(session, bundle_id, bundles.activate, "Reactivated")


def _move(
    session: OrganizationSession, bundle_id: str, move: Callable[..., Awaitable[ManagedProductBundle]], verb: str
) -> None:
    target = Target(parse_id(bundle_id))
    bundle = session.run(lambda work: move(work, target, now=clock()))
    session.show(f"{verb} the bundle {bundle.name}.", _fields(bundle))


def _fields(bundle: ManagedProductBundle) -> Fields:
    fields = fields_of(bundle, "id", "name", "price", "store_exam_codes", "status", store_exam_codes="exams")
    return fields | {"exams": " ".join(bundle.store_exam_codes)}
