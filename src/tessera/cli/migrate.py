"""The commands that migrate the database, and distribute its tables."""

from typing import Annotated

import structlog
import typer

from tessera import provision, schema
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, Embedded, require_database, start
from tessera.kit.db import role_creation

log = structlog.get_logger(__name__)

commands = CommandGroup()


@commands.command("migrate")
def migrate(
    *,
    embedded: Embedded = False,
    print_roles: Annotated[
        bool,
        typer.Option("--print-roles", help="Only print the SQL that creates the roles, for a database administrator."),
    ] = False,
) -> None:
    """Create missing roles and apply pending migrations."""
    settings = start()
    require_database(settings, embedded=embedded)
    if print_roles and embedded:
        raise CannotStart("the embedded Postgres creates its roles itself; --print-roles is for an external one")
    with provision.database(settings) as addresses:
        if print_roles:
            typer.echo(role_creation.script(addresses.owner, addresses.application))
            return
        revision = schema.migrate(addresses.owner, addresses.application)
        migrated = schema.find(addresses.owner)
        log.info("database", host=migrated.host, port=migrated.port, database=migrated.name, role=migrated.role)
        typer.echo(f"The database is at revision {revision}.")


@commands.command("distribute")
def distribute() -> None:
    """Distribute the tables over the nodes of Citus.

    The rows of an organization stay together. The database has the extension `citus`, and its nodes were added.
    All processes run this version. Requests wait while their rows are copied; an interrupted command changes
    nothing, and a repeated one distributes only new tables.
    """
    settings = start()
    require_database(settings, embedded=False)
    with provision.database(settings) as addresses:
        done = schema.distribute(addresses.owner, addresses.application)
    typer.echo(f"{done.tables} tables are distributed now, and {done.earlier_tables} were before.")
