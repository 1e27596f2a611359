"""The command that moves the embedded database to a newer major version of Postgres."""

import typer

from tessera import postgres_upgrade
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, start
from tessera.kit.clock import clock

commands = CommandGroup()


@commands.command("upgrade-postgres")
def upgrade_postgres() -> None:
    """Move the embedded database to a newer Postgres.

    The new version is the newest one that is installed. All processes must have stopped, and the programs of the
    old version must be installed, too. The old database is kept. An attempt that fails leaves it in its place;
    after one that was killed, run the command again.
    """
    settings = start()
    if settings.database_url is not None:
        raise CannotStart("TESSERA_DATABASE_URL is set, and this command is for the embedded Postgres")
    if settings.archive_dir is not None:
        raise CannotStart(
            "TESSERA_ARCHIVE_DIR is set: unset it for the upgrade, and then set it to a new directory, because the new"
            " server does not continue the archive of the old one"
        )
    kept, copied = postgres_upgrade.upgrade(settings, now=clock())
    if copied is not None:
        rows = sum(copied.contents.rows.values())
        typer.echo(f"Copied {rows:,} rows in {len(copied.contents.rows)} tables.")
    typer.echo(f"The upgrade is complete. The old database is in {kept}; delete it when all is well.")
