"""Commands on what is sold: store exams, named by their code, and product bundles, named by their id."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from tessera.catalog.product_bundles import service as bundles
from tessera.catalog.product_bundles.service import ManagedProductBundle, ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft, StoreExamDraft
from tessera.catalog.store_exams import service as exams
from tessera.catalog.store_exams.service import ManagedStoreExam, StoreExamFilter
from tessera.cli.database_sessions import in_organization
from tessera.cli.options.types import AsJson, Id, Name, Organization, parse_id
from tessera.cli.output import show, show_rows
from tessera.cli.pages import fetch_all
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, Violation

Code = Annotated[str, typer.Argument(help="The exam's code, in any case.", metavar="CODE")]
Price = Annotated[str, typer.Option("--price", help="What it costs, in dollars.")]
Exams = Annotated[list[str], typer.Option("--exam", help="The code of an exam in it; may be given again.")]

exam_commands = typer.Typer(no_args_is_help=True)
bundle_commands = typer.Typer(no_args_is_help=True)

PART = 1000


@exam_commands.command("create")
def create_exam(organization: Organization, code: Code, name: Name, price: Price, as_json: AsJson = False) -> None:
    """Put an exam on sale under a code, which is its own from then on."""
    draft = StoreExamDraft(code=code, name=name, price=_price(price))
    exam = in_organization(start(), organization, lambda work: exams.create(work, draft=draft, now=clock()))
    show(f"Put the exam {exam.code} on sale.", _exam(exam), as_json=as_json)


@exam_commands.command("list")
def list_exams(organization: Organization, as_json: AsJson = False) -> None:
    """List the store exams, oldest first, archived ones included."""

    async def ask(work: UnitOfWork) -> list[ManagedStoreExam]:
        return await fetch_all(
            lambda after: exams.list_by_cursor(work, filters=StoreExamFilter(), after=after, size=PART)
        )

    rows = [_exam(exam) for exam in in_organization(start(), organization, ask)]
    show_rows(rows, as_json=as_json, if_none="There are no store exams yet.")


@exam_commands.command("update")
def update_exam(organization: Organization, code: Code, name: Name, price: Price, as_json: AsJson = False) -> None:
    """Give an exam another name and price."""
    draft = StoreExamDraft(name=name, price=_price(price))

    async def update(work: UnitOfWork) -> ManagedStoreExam:
        return await exams.update(work, await _target(work, code), draft=draft, now=clock())

    exam = in_organization(start(), organization, update)
    show(f"Changed the exam {exam.code}.", _exam(exam), as_json=as_json)


@exam_commands.command("archive")
def archive_exam(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Sell an exam no longer."""

    async def archive(work: UnitOfWork) -> ManagedStoreExam:
        return await exams.archive(work, await _target(work, code), now=clock())

    exam = in_organization(start(), organization, archive)
    show(f"Archived the exam {exam.code}.", _exam(exam), as_json=as_json)


@exam_commands.command("activate")
def activate_exam(organization: Organization, code: Code, as_json: AsJson = False) -> None:
    """Sell an archived exam again."""

    async def activate(work: UnitOfWork) -> ManagedStoreExam:
        return await exams.activate(work, await _target(work, code), now=clock())

    exam = in_organization(start(), organization, activate)
    show(f"Put the exam {exam.code} on sale again.", _exam(exam), as_json=as_json)


@bundle_commands.command("create")
def create_bundle(organization: Organization, name: Name, price: Price, exam: Exams, as_json: AsJson = False) -> None:
    """Put a bundle of exams on sale as one."""
    draft = ProductBundleDraft(name=name, price=_price(price), store_exam_codes=tuple(exam))
    bundle = in_organization(start(), organization, lambda work: bundles.create(work, draft=draft, now=clock()))
    show(f"Put the bundle {bundle.name} on sale.", _bundle(bundle), as_json=as_json)


@bundle_commands.command("list")
def list_bundles(organization: Organization, as_json: AsJson = False) -> None:
    """List the product bundles, oldest first, archived ones included."""

    async def ask(work: UnitOfWork) -> list[ManagedProductBundle]:
        return await fetch_all(
            lambda after: bundles.list_by_cursor(work, filters=ProductBundleFilter(), after=after, size=PART)
        )

    rows = [_bundle(bundle) for bundle in in_organization(start(), organization, ask)]
    show_rows(rows, as_json=as_json, if_none="There are no product bundles yet.")


@bundle_commands.command("update")
def update_bundle(
    organization: Organization, bundle_id: Id, name: Name, price: Price, exam: Exams, as_json: AsJson = False
) -> None:
    """Give a bundle another name, price and exams, in place of those in it."""
    draft = ProductBundleDraft(name=name, price=_price(price), store_exam_codes=tuple(exam))
    target = Target(parse_id(bundle_id))
    bundle = in_organization(start(), organization, lambda work: bundles.update(work, target, draft=draft, now=clock()))
    show(f"Changed the bundle {bundle.name}.", _bundle(bundle), as_json=as_json)


@bundle_commands.command("archive")
def archive_bundle(organization: Organization, bundle_id: Id, as_json: AsJson = False) -> None:
    """Sell a bundle no longer."""
    target = Target(parse_id(bundle_id))
    bundle = in_organization(start(), organization, lambda work: bundles.archive(work, target, now=clock()))
    show(f"Archived the bundle {bundle.name}.", _bundle(bundle), as_json=as_json)


@bundle_commands.command("activate")
def activate_bundle(organization: Organization, bundle_id: Id, as_json: AsJson = False) -> None:
    """Sell an archived bundle again."""
    target = Target(parse_id(bundle_id))
    bundle = in_organization(start(), organization, lambda work: bundles.activate(work, target, now=clock()))
    show(f"Put the bundle {bundle.name} on sale again.", _bundle(bundle), as_json=as_json)


async def _target(work: UnitOfWork, code: str) -> Target:
    found = await exams.list_by_cursor(work, filters=StoreExamFilter(code=code), after=None, size=1)
    if not found.items:
        raise NotFound(f"There is no store exam {code}.")
    return Target(found.items[0].id)


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite():
        raise Invalid([Violation("NotNumber", "price", f"must be a number: {text}")])
    return price


def _exam(exam: ManagedStoreExam) -> dict[str, Any]:
    return {"id": exam.id, "code": exam.code, "name": exam.name, "price": exam.price, "status": exam.status}


def _bundle(bundle: ManagedProductBundle) -> dict[str, Any]:
    return {
        "id": bundle.id,
        "name": bundle.name,
        "price": bundle.price,
        "exams": " ".join(bundle.store_exam_codes),
        "status": bundle.status,
    }
