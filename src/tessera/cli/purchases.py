"""Commands on voucher purchases."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import OrganizationDatabase, pinned_to
from tessera.cli.files import rewindable, save
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.metadata import Metadata, MetadataFilter, parse_filter, parse_metadata
from tessera.cli.options.types import Cursor, Limit, Organization, Output, PartnerFilter, Reveal, Yes, parse_time
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of, show_rows
from tessera.cli.startup import start
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.vouchers.issued.assignments import service as assignments
from tessera.vouchers.issued.assignments.rules import Assignment, read_addresses
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import service as checkouts
from tessera.vouchers.purchases.checkout.rules import Order
from tessera.vouchers.purchases.service import Purchase, PurchaseFilter
from tessera.vouchers.revealing import service as revealing
from tessera.vouchers.rules import PurchaseStatus

PurchaseRef = Annotated[str, typer.Argument(help="The purchase's code (any case) or id.", metavar="PURCHASE")]
PeopleFile = Annotated[
    Path,
    typer.Argument(
        help="A file with an email address at the beginning of each line; - is standard input.",
        exists=True,
        dir_okay=False,
        allow_dash=True,
        metavar="FILE",
    ),
]
FurtherPurchases = Annotated[
    list[str] | None,
    typer.Option("--then", metavar="PURCHASE", help="Another purchase, for when the first has no voucher left."),
]

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """The fields of an order, named as in its draft; the partner and the program by name or id."""

    partner_id: Annotated[str, typer.Option("--partner", help="The partner that buys, by name or id.")]
    program_id: Annotated[str, typer.Option("--program", help="The program to buy from, by name or id.")]
    quantity: Annotated[int, typer.Option("--quantity", help="The number of vouchers, from 1 to 1,000.")]
    purchased_by_first_name: Annotated[str, typer.Option("--first-name", help="The first name of the buyer.")]
    purchased_by_last_name: Annotated[str, typer.Option("--last-name", help="The last name of the buyer.")]
    purchased_by_email: Annotated[str | None, typer.Option("--email", help="The email address of the buyer.")] = None
    notes: Annotated[str, typer.Option("--notes", help="Notes on the purchase.")] = ""
    checkout_expires_at: Annotated[
        str | None, typer.Option("--expires-at", help="The payment deadline, ISO 8601; default: 24 hours.")
    ] = None
    metadata: Metadata = None


@commands.command("order")
def order_vouchers(session: OrganizationSession, order: NewOrder) -> None:
    """Order vouchers; a worker creates free vouchers at once."""
    deadline = order.checkout_expires_at
    expires_at = None if deadline is None else parse_time("checkout_expires_at", deadline)

    async def start_checkout(work: UnitOfWork) -> Purchase:
        checkout = Order(
            partner_id=await lookups.partner_id(work, order.partner_id),
            program_id=await lookups.program_id(work, order.program_id),
            quantity=order.quantity,
            notes=order.notes,
            purchased_by_first_name=order.purchased_by_first_name,
            purchased_by_last_name=order.purchased_by_last_name,
            purchased_by_email=order.purchased_by_email,
            checkout_expires_at=expires_at,
            metadata=parse_metadata(order.metadata or ()),
        )
        return await checkouts.start(work, checkout, now=clock())

    purchase = session.run(start_checkout)
    session.show(f"Ordered {order.quantity} vouchers for {purchase.amount:.2f} dollars.", _fields(purchase))
    if purchase.status == PurchaseStatus.VOUCHER_CREATION:
        session.warn_without_worker()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseListOptions:
    """Options for a list of purchases: filters and page, or the overdue purchases of all organizations."""

    stuck: Annotated[bool, typer.Option("--stuck", help="List overdue purchases of all organizations.")] = False
    older_than_minutes: Annotated[
        int, typer.Option(min=0, max=525_600, help="With --stuck: the minimum age in minutes.")
    ] = 5
    partner: PartnerFilter = None
    status: Annotated[PurchaseStatus | None, typer.Option(help="The status.", case_sensitive=False)] = None
    metadata: MetadataFilter = None
    limit: Limit = 100
    cursor: Cursor = None

    async def fetch_page(self, work: UnitOfWork) -> CursorPage[Purchase]:
        """The page of purchases in the organization of the unit of work."""
        partner_id = await lookups.partner_id(work, self.partner) if self.partner else None
        filters = PurchaseFilter(partner_id=partner_id, status=self.status, metadata=parse_filter(self.metadata))
        return await purchases.list_by_cursor(
            work, filters=filters, newest=True, after=self.cursor, size=self.limit, now=clock()
        )


@commands.command("list")
def list_purchases(session: OrganizationSession, options: PurchaseListOptions) -> None:
    """List purchases, newest first.

    With --status, they are grouped by partner, and with --partner by status. With --stuck, the overdue purchases of
    all organizations are listed.
    """
    if options.stuck:
        _list_stuck(options.older_than_minutes, as_json=session.as_json)
        return
    page = session.run(options.fetch_page)
    rows = [_fields(purchase) for purchase in page.items]
    session.show_rows(rows, if_none="No purchases match.", cursor=page.cursor)


def _list_stuck(older_than_minutes: int, *, as_json: bool) -> None:
    before = clock() - timedelta(minutes=older_than_minutes)
    overdue = pinned_to(start(), PLATFORM_ID, lambda work: purchases.list_unfinished(work, purchased_before=before))
    names = ("code", "organization_name", "quantity", "purchased_at", "id")
    rows = [fields_of(row, *names) for row in overdue]
    show_rows(rows, as_json=as_json, if_none="No purchase is overdue.")


@commands.command("show")
def show_purchase(session: OrganizationSession, purchase: PurchaseRef) -> None:
    """Show a purchase."""
    current = session.run_on(
        lookups.purchase_id, purchase, lambda work, purchase_id: purchases.get(work, purchase_id, now=clock())
    )
    _show(session, current)


@commands.command("pay")
def pay_purchase(session: OrganizationSession, purchase: PurchaseRef) -> None:
    """Record the payment of a purchase. A worker creates its vouchers."""
    _settle(session, purchase, PurchaseStatus.VOUCHER_CREATION)
    session.warn_without_worker()


@commands.command("fail")
def fail_purchase(session: OrganizationSession, purchase: PurchaseRef, *, yes: Yes = False) -> None:
    """Record that the payment of a purchase failed (final)."""
    confirm(f"Record that the payment of the purchase {purchase} failed? It can no longer be paid.", yes=yes)
    _settle(session, purchase, PurchaseStatus.CHECKOUT_FAILED)


@commands.command("cancel")
def cancel_purchase(session: OrganizationSession, purchase: PurchaseRef, *, yes: Yes = False) -> None:
    """Cancel an unpaid purchase (final)."""
    confirm(f"Cancel the purchase {purchase}? It can no longer be paid.", yes=yes)
    _settle(session, purchase, PurchaseStatus.CHECKOUT_CANCELLED)


@commands.command("archive")
def archive_purchase(session: OrganizationSession, purchase: PurchaseRef, *, yes: Yes = False) -> None:
    """Archive a purchase (permanent); its vouchers do not change."""
    confirm(f"Archive the purchase {purchase} permanently?", yes=yes)
    archived_purchase = session.change(lookups.purchase_id, purchase, checkouts.archive)
    session.show(f"Archived the purchase {archived_purchase.code}.", _fields(archived_purchase))


@commands.command("assign")
def assign_vouchers(
    session: OrganizationSession,
    purchase: PurchaseRef,
    file: PeopleFile,
    *,
    then: FurtherPurchases = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the list and assign nothing.")] = False,
    reveal: Reveal = False,
) -> None:
    """Give each person of a list a free voucher.

    Those who have a voucher of the purchase keep it. Other columns of a CSV file and a first line without an
    address are ignored.
    """
    with rewindable(file) as content:
        people = read_addresses(content)

    async def assign(work: UnitOfWork) -> list[Assignment]:
        purchase_id, *further = [await lookups.purchase_id(work, each) for each in (purchase, *(then or []))]
        with _naming_lines([*people]):
            assigned = await assignments.assign(
                work, purchase_id, [*people.values()], further=further, dry_run=dry_run, now=clock()
            )
        if not reveal:
            return [each.masked for each in assigned]
        filters = {"purchase_id": purchase_id, "further_purchase_ids": further or None}
        await revealing.record(work, "purchase assign", filters, len(assigned), now=clock())
        return assigned

    rows = [
        {"recipientEmail": each.recipient_email, "code": each.voucher.code, "isNew": each.is_new}
        for each in session.run(assign)
    ]
    session.show_rows(rows, if_none="")


@contextmanager
def _naming_lines(numbers: Sequence[int]) -> Iterator[None]:
    """Name the lines of a file with these numbers, instead of the positions of their addresses."""
    try:
        yield
    except Invalid as error:
        raise Invalid([replace(each, field=_place(each.field, numbers)) for each in error.violations]) from error


def _place(field: str, numbers: Sequence[int]) -> str:
    name, _, position = field.partition("/")
    if name != "recipient_emails":
        return "--then"
    return f"line {numbers[int(position)]}: the address" if position else "the file"


@commands.command("assignments")
def export_assignments(
    purchase: PurchaseRef, organization: Organization = None, output: Output = None, *, reveal: Reveal = False
) -> None:
    """Export who has which voucher of the purchase as CSV."""

    async def content(session: OrganizationDatabase) -> AsyncIterator[bytes]:
        async with session.unit_of_work() as work:
            purchase_id = await lookups.purchase_id(work, purchase)
            lines = await assignments.csv(work, purchase_id, reveals=reveal, now=clock())
        yield lines  # a slow reader must not keep the transaction open

    save(organization, output, content)


@commands.command("retry")
def retry_purchase(
    session: OrganizationSession,
    purchase: Annotated[str, typer.Argument(help="The purchase's id or code.", metavar="PURCHASE")],
) -> None:
    """Retry the creation of the vouchers of a purchase now."""
    purchase_id = session.run(lambda work: purchases.retry(work, id_or_code=purchase))
    session.show("Queued the vouchers of the purchase.", {"id": purchase_id})
    session.warn_without_worker()


def _settle(session: OrganizationSession, code_or_id: str, outcome: PurchaseStatus) -> None:
    _show(session, session.change(lookups.purchase_id, code_or_id, partial(checkouts.settle, outcome=outcome)))


def _show(session: OrganizationSession, purchase: Purchase) -> None:
    session.show(f"The purchase {purchase.code} is {purchase.status}.", _fields(purchase))


def _fields(purchase: Purchase) -> Fields:
    return fields_of(
        purchase,
        *("code", "status", "partner_name", "program_name", "quantity", "amount", "amount_paid", "quantity_used"),
        *("purchased_at", "checkout_expires_at", "is_archived", "metadata", "version", "id"),
    )
