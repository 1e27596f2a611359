"""The command `tessera`: its subcommands by name, and the conversion of errors to messages."""

import gc
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

import tessera

# The module and the description of each command, then of each group of commands.
COMMANDS = {
    "serve": ("server", "Run the API server and a worker in one process."),
    "api": ("server", "Run the API server without a worker."),
    "worker": ("worker", "Run a worker without an API server."),
    "migrate": ("migrate", "Create missing roles and apply pending migrations."),
    "distribute": ("migrate", "Distribute the tables over the nodes of Citus."),
    "backup": ("backup", "Back up the whole database to a file."),
    "restore": ("backup", "Restore a backup into an empty database."),
    "upgrade-postgres": ("upgrade_postgres", "Move the embedded database to a newer Postgres."),
    "doctor": ("doctor", "Check the installation, and say what to do."),
}
GROUPS = {
    "demo": ("demo", "Demonstration data."),
    "platform": ("platform", "The platform, which manages all organizations."),
    "organization": ("organizations", "Organizations, which are isolated from each other."),
    "user": ("users", "Users, who call the API with long-lived tokens."),
    "client": ("clients", "API clients, which get tokens for a ClientId."),
    "key": ("keys", "API keys of storefronts."),
    "audit": ("audit", "The audit log of all changes."),
    "exam": ("store_exams", "Store exams."),
    "bundle": ("product_bundles", "Product bundles, which sell several exams together."),
    "promo-code": ("promo_codes", "Promo codes, single, in batches and as CSV files."),
    "partner": ("partners", "Voucher partners, which buy vouchers, and their users."),
    "program": ("programs", "Voucher programs: exams, prices and buyers of vouchers."),
    "purchase": ("purchases", "Voucher purchases, from checkout to their vouchers."),
    "voucher": ("vouchers", "Vouchers."),
    "redemption": ("redemptions", "Redemptions of promo codes and vouchers."),
    "metadata": ("metadata", "Texts that an integration attaches to records."),
    "person": ("persons", "Persons: their records, and their erasure."),
    "retention": ("retention", "For how long an organization keeps data."),
    "privacy": ("privacy", "The personal data that the database holds."),
    "report": ("reports", "Reports on redemptions and vouchers."),
    "ledger": ("ledger", "The ledger of redemptions."),
    "database": ("database", "Passwords of logins to the database."),
    "jobs": ("jobs", "Jobs of the workers, in all organizations."),
    "archive": ("archive", "The archive of the embedded Postgres."),
    "token": ("tokens", "Long-lived Bearer tokens of users."),
}


class LazyCommand(TyperCommand):
    """A command or a group whose module is imported on use, because importing all modules takes seconds."""

    def load(self) -> Any:  # noqa: ANN401 - a command, whose class typer does not export
        """Import the module, and return the command or the group."""
        module, description = (COMMANDS | GROUPS)[str(self.name)]
        group = get_group(import_module(f"tessera.cli.{module}").commands)
        gc.freeze()  # otherwise, the first collections traverse all imported objects, see tessera.cli.run
        gc.enable()
        if self.name in COMMANDS:
            return group.commands[self.name]
        group.help = description
        return group

    def make_context(self, *arguments: Any, **settings: Any) -> Any:  # noqa: ANN401 - the types of typer
        """Parse the arguments with the imported command."""
        return self.load().make_context(*arguments, **settings)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - the signature of a typer callback
    if requested:
        typer.echo(f"tessera {tessera.__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def create_app() -> TyperGroup:
    """The command `tessera`."""
    commands = typer.Typer(
        name="tessera",
        help="Promo codes and vouchers for many organizations. Settings: TESSERA_... variables, or files.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    commands.callback()(_options)
    app = get_command(commands)  # unlike get_group, it adds the options for the completion of shells
    assert isinstance(app, TyperGroup), "an application with a callback is a group"  # noqa: S101 - for the type checker
    for name, (_, description) in (COMMANDS | GROUPS).items():
        app.add_command(LazyCommand(name, help=description))
    return app


def run() -> None:
    """Run the command of this process; an expected error is printed without a traceback, and exits with status 1."""
    try:
        create_app()()
    except Exception as error:
        from tessera.cli import failures  # noqa: PLC0415 - imports the modules that define the errors

        if not failures.is_expected(error):
            raise
        for line in failures.lines(error):
            typer.echo(f"tessera: {line}", err=True)
        sys.exit(1)
