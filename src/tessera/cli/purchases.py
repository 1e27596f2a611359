"""Commands on voucher purchases: which of them wait too long for their vouchers, and having those made again."""

from datetime import timedelta
from typing import Annotated

import typer

from tessera.cli.identity import AsJson, OneOrganization
from tessera.cli.output import show, show_rows
from tessera.cli.starting import start
from tessera.cli.units import in_organization, pinned_to
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.vouchers.purchases import service as purchases

Stuck = Annotated[bool, typer.Option("--stuck", help="Those that wait for their vouchers; no others are listed yet.")]

commands = typer.Typer(no_args_is_help=True)


@commands.command("list")
def list_purchases(
    stuck: Stuck,
    older_than_minutes: Annotated[int, typer.Option(min=0, max=525_600, help="Those bought before that.")] = 5,
    as_json: AsJson = False,
) -> None:
    """List the purchases of every organization whose vouchers are overdue, oldest first."""
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


@commands.command("retry")
def retry_purchase(
    organization: OneOrganization,
    purchase: Annotated[str, typer.Argument(help="Its id or its code.", metavar="PURCHASE")],
    as_json: AsJson = False,
) -> None:
    """Have the vouchers of a purchase made now, whatever pause its job is in."""
    purchase_id = in_organization(start(), organization, lambda work: purchases.retry(work, id_or_code=purchase))
    show("Queued the vouchers of the purchase.", {"id": purchase_id}, as_json=as_json)
