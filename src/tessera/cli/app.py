"""The commands together, and the one place where their failures become one line."""

import sys

import typer

from tessera.cli import (
    access,
    audit,
    catalog,
    failures,
    identity,
    ledger,
    promo_codes,
    purchases,
    redemptions,
    reports,
    serving,
    voucher_partners,
    voucher_programs,
    vouchers,
)

app = typer.Typer(
    name="tessera",
    help="Promo codes and vouchers for many organizations. Settings come from the environment (TESSERA_...).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serving.serve)
app.command("api")(serving.api)
app.command("worker")(serving.worker)
app.command("migrate")(serving.migrate)
app.add_typer(serving.demo_commands, name="demo", help="The demonstration data.")
app.add_typer(access.platform, name="platform", help="The platform, whose administrators manage all organizations.")
app.add_typer(identity.organizations, name="organization", help="Organizations, each apart from all others.")
app.add_typer(identity.users, name="user", help="People, who call with tokens that are issued to them.")
app.add_typer(identity.clients, name="client", help="Machines, which fetch tokens with a ClientId and a secret.")
app.add_typer(identity.keys, name="key", help="API keys of storefronts.")
app.add_typer(audit.commands, name="audit", help="Every change: who, when, before and after.")
app.add_typer(catalog.exam_commands, name="exam", help="Store exams, which are sold.")
app.add_typer(catalog.bundle_commands, name="bundle", help="Product bundles, several exams sold as one.")
app.add_typer(promo_codes.commands, name="promo-code", help="Promo codes, one by one, in batches and as CSV files.")
app.add_typer(voucher_partners.commands, name="partner", help="Companies that buy vouchers, and their users.")
app.add_typer(voucher_programs.commands, name="program", help="What can be bought: exams, prices, and for whom.")
app.add_typer(purchases.commands, name="purchase", help="Voucher purchases, from their checkout to their vouchers.")
app.add_typer(vouchers.commands, name="voucher", help="Vouchers, one or a thousand at a time.")
app.add_typer(redemptions.commands, name="redemption", help="Codes that were held or redeemed.")
app.add_typer(reports.commands, name="report", help="What was redeemed and given, and how many vouchers there are.")
app.add_typer(ledger.commands, name="ledger", help="The ledger of redemptions.")
app.add_typer(identity.tokens, name="token", help="Long-lived Bearer tokens of users.")


def run() -> None:
    """Run the command of this process: what cannot be done ends with clear lines and status 1, never a traceback."""
    try:
        app()
    except failures.FORESEEN as error:
        for line in failures.lines(error):
            typer.echo(f"tessera: {line}", err=True)
        sys.exit(1)
