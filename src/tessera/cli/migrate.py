"""The command that migrates the database."""

import structlog
import typer

from tessera import provision, schema
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import Embedded, require_database, start

log = structlog.get_logger(__name__)

commands = CommandGroup()


@commands.command("migrate")
def migrate(*, embedded: Embedded = False) -> None:
    """Create missing roles and apply pending migrations."""
    settings = start()
    require_database(settings, embedded=embedded)
    with provision.database(settings) as addresses:
        revision = schema.migrate(addresses.owner, addresses.application)
        migrated = schema.find(addresses.owner)
        log.info("database", host=migrated.host, port=migrated.port, database=migrated.name, role=migrated.role)
        typer.echo(f"The database is at revision {revision}.")
