"""Commands on voucher purchases, also on those that wait too long for their vouchers."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from tessera.cli import lookups
from tessera.cli.database_sessions import in_organization, pinned_to
from tessera.cli.options.types import AsJson, Cursor, Limit, Organization, parse_time
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import service as checkouts
from tessera.vouchers.purchases.checkout.rules import Order
from tessera.vouchers.purchases.service import Purchase, PurchaseFilter
from tessera.vouchers.rules import PurchaseStatus

Stuck = Annotated[
    bool, typer.Option("--stuck", help="Those of every organization that wait for their vouchers, and no others.")
]
OnePurchase = Annotated[str, typer.Argument(help="Its code, in any case, or its id.", metavar="PURCHASE")]

commands = typer.Typer(no_args_is_help=True)


@commands.command("order")
def order_vouchers(
    organization: Organization,
    partner: Annotated[str, typer.Option("--partner", help="Who buys, by name or id.")],
    program: Annotated[str, typer.Option("--program", help="What is bought, by name or id.")],
    quantity: Annotated[int, typer.Option("--quantity", help="How many, 1 to 1,000.")],
    first_name: Annotated[str, typer.Option("--first-name", help="Of the buyer.")],
    last_name: Annotated[str, typer.Option("--last-name", help="Of the buyer.")],
    email: Annotated[str | None, typer.Option("--email", help="Of the buyer.")] = None,
    notes: Annotated[str, typer.Option("--notes", help="To keep with the purchase.")] = "",
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", help="Until when it can be paid; in 24 hours unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Begin a purchase at its price; what costs nothing has its vouchers made at once."""
    deadline = None if expires_at is None else parse_time("expires-at", expires_at)

    async def place(work: UnitOfWork) -> Purchase:
        order = Order(
            partner_id=await lookups.partner_id(work, partner),
            program_id=await lookups.program_id(work, program),
            quantity=quantity,
            notes=notes,
            purchased_by_first_name=first_name,
            purchased_by_last_name=last_name,
            purchased_by_email=email,
            checkout_expires_at=deadline,
        )
        return await checkouts.start(work, order, now=clock())

    purchase = in_organization(start(), organization, place)
    show(f"Ordered {quantity} vouchers for {purchase.amount} dollars.", _fields(purchase), as_json=as_json)


@commands.command("list")
def list_purchases(
    organization: Annotated[
        str | None, typer.Option("--organization", help="Its name, in any case, or its id.")
    ] = None,
    stuck: Stuck = False,
    older_than_minutes: Annotated[
        int, typer.Option(min=0, max=525_600, help="With --stuck: those bought before that.")
    ] = 5,
    partner: Annotated[str | None, typer.Option("--partner", help="Those of this partner, by name or id.")] = None,
    status: Annotated[PurchaseStatus | None, typer.Option(help="Those of this status.", case_sensitive=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List the purchases of an organization, or with --stuck those of all whose vouchers are overdue."""
    if stuck:
        _list_stuck(older_than_minutes, as_json=as_json)
        return
    if organization is None:
        raise Invalid([Violation("Required", "organization", "is required, unless it is for --stuck")])
    now = clock()

    async def find(work: UnitOfWork) -> Any:  # noqa: ANN401 - a part of a list
        partner_id = await lookups.partner_id(work, partner) if partner else None
        wanted = PurchaseFilter(partner_id=partner_id, status=status)
        return await purchases.list_by_cursor(work, filters=wanted, after=cursor, size=limit, now=now)

    part = in_organization(start(), organization, find)
    rows = [_fields(purchase) for purchase in part.items]
    show_rows(rows, as_json=as_json, if_none="There are no such purchases.", cursor=part.cursor)


def _list_stuck(older_than_minutes: int, *, as_json: bool) -> None:
    before = clock() - timedelta(minutes=older_than_minutes)
    found = pinned_to(start(), PLATFORM_ID, lambda work: purchases.list_unfinished(work, purchased_before=before))
    rows = [
        {
            "id": row.id,
            "code": row.code,
            "organization": row.organization_name,
            "quantity": row.quantity,
            "purchasedAt": row.purchased_at,
        }
        for row in found
    ]
    show_rows(rows, as_json=as_json, if_none="No purchase waits that long for its vouchers.")


@commands.command("show")
def show_purchase(organization: Organization, purchase: OnePurchase, as_json: AsJson = False) -> None:
    """Show a purchase as it is now."""

    async def find(work: UnitOfWork) -> Purchase:
        return await purchases.get(work, await lookups.purchase_id(work, purchase), now=clock())

    found = in_organization(start(), organization, find)
    show(f"The purchase {found.code} is {found.status}.", _fields(found), as_json=as_json)


@commands.command("pay")
def pay_purchase(organization: Organization, purchase: OnePurchase, as_json: AsJson = False) -> None:
    """Note that a purchase is paid in full, and have its vouchers made."""
    _settle(organization, purchase, PurchaseStatus.VOUCHER_CREATION, as_json=as_json)


@commands.command("fail")
def fail_purchase(organization: Organization, purchase: OnePurchase, as_json: AsJson = False) -> None:
    """Note that the payment of a purchase failed."""
    _settle(organization, purchase, PurchaseStatus.CHECKOUT_FAILED, as_json=as_json)


@commands.command("cancel")
def cancel_purchase(organization: Organization, purchase: OnePurchase, as_json: AsJson = False) -> None:
    """Cancel a purchase that is not paid."""
    _settle(organization, purchase, PurchaseStatus.CHECKOUT_CANCELLED, as_json=as_json)


@commands.command("archive")
def archive_purchase(organization: Organization, purchase: OnePurchase, as_json: AsJson = False) -> None:
    """Put a purchase away for ever; its vouchers stay as they are."""

    async def put_away(work: UnitOfWork) -> Purchase:
        return await checkouts.archive(work, Target(await lookups.purchase_id(work, purchase)), now=clock())

    archived = in_organization(start(), organization, put_away)
    show(f"Archived the purchase {archived.code}.", _fields(archived), as_json=as_json)


@commands.command("retry")
def retry_purchase(
    organization: Organization,
    purchase: Annotated[str, typer.Argument(help="Its id or its code.", metavar="PURCHASE")],
    as_json: AsJson = False,
) -> None:
    """Have the vouchers of a purchase made now, whatever pause its job is in."""
    purchase_id = in_organization(start(), organization, lambda work: purchases.retry(work, id_or_code=purchase))
    show("Queued the vouchers of the purchase.", {"id": purchase_id}, as_json=as_json)


def _settle(organization: str, purchase: str, outcome: PurchaseStatus, *, as_json: bool) -> None:
    async def settle(work: UnitOfWork) -> Purchase:
        target = Target(await lookups.purchase_id(work, purchase))
        return await checkouts.settle(work, target, outcome=outcome, now=clock())

    settled = in_organization(start(), organization, settle)
    show(f"The purchase {settled.code} is {outcome}.", _fields(settled), as_json=as_json)


def _fields(purchase: Purchase) -> dict[str, Any]:
    return {
        "id": purchase.id,
        "code": purchase.code,
        "status": purchase.status,
        "isArchived": purchase.is_archived,
        "partner": purchase.partner_name,
        "program": purchase.program_name,
        "quantity": purchase.quantity,
        "quantityUsed": purchase.quantity_used,
        "amount": purchase.amount,
        "amountPaid": purchase.amount_paid,
        "purchasedAt": purchase.purchased_at,
        "checkoutExpiresAt": purchase.checkout_expires_at,
        "version": purchase.version,
    }
