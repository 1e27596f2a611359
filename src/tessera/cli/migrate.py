"""The command that migrates the database."""

import typer

from tessera import provision, schema
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import start

commands = CommandGroup()


@commands.command("migrate")
def migrate() -> None:
    """Create missing roles and apply pending migrations."""
    settings = start()
    with provision.database(settings) as addresses:
        typer.echo(f"The database is at revision {schema.migrate(addresses.owner, addresses.application)}.")
