"""Commands that take snapshots of the embedded Postgres, and restore a point in time from its archive."""

import asyncio
from typing import Annotated

import typer

from tessera import backup as backups
from tessera import provision
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import parse_exact_time
from tessera.cli.startup import CannotStart, require_existing_database, start
from tessera.kit.control_characters import visible
from tessera.kit.embedded_postgres.archive import Archive
from tessera.kit.embedded_postgres.server import EmbeddedPostgresError
from tessera.settings import Settings

commands = CommandGroup()


@commands.command("snapshot")
def snapshot(
    *,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Keep this many snapshots, and delete older ones and the changes before them."),
    ] = None,
) -> None:
    """Copy the files of the database into the archive.

    The archive is TESSERA_ARCHIVE_DIR. The embedded Postgres can be in use. A restore begins with the last
    snapshot before its time, and repeats the changes since.
    """
    settings = start()
    archive = _archive(settings)
    require_existing_database(settings)
    with provision.database(settings):
        time = archive.take_snapshot(keep=keep)
    typer.echo(f"Took a snapshot. Any time from {time.isoformat()} on can be restored.")


@commands.command("list")
def list_snapshots() -> None:
    """List the snapshots in the archive, the oldest first. Any time after one can be restored."""
    for time in _archive(start()).list_snapshots():
        typer.echo(time.isoformat())


@commands.command("restore")
def restore(
    *,
    at: Annotated[
        str | None,
        typer.Option(help="The time to restore, in UTC unless it has an offset; default: after the last change."),
    ] = None,
    timeline: Annotated[
        str,
        typer.Option(help="The timeline to restore (1, 2, ...); default: the newest. Each restore begins a new one."),
    ] = "latest",
) -> None:
    """Restore the embedded Postgres from the archive.

    TESSERA_DATA_DIR must have no database. The command restores TESSERA_ARCHIVE_DIR into it. It then recounts the
    ledger, the reports and the seals of the audit log.
    """
    settings = start()
    archive = _archive(settings)
    if timeline != "latest" and not timeline.isdecimal():
        raise CannotStart("--timeline must be a number or 'latest'")
    time = parse_exact_time("at", at) if at else None
    used = archive.prepare_restore(time, timeline)
    typer.echo(f"Recovering from the snapshot of {used.isoformat()}", err=True)
    try:
        with provision.database(settings) as addresses:
            findings = asyncio.run(backups.recount(addresses.application))
    except EmbeddedPostgresError:
        archive.discard_restore()
        raise
    for finding in findings:
        typer.echo(visible(finding), err=True)
    if findings:
        raise typer.Exit(1)
    typer.echo(f"Restored the state {f'at {time.isoformat()}' if time else 'after the last archived change'}.")
    typer.echo("The ledger, reports and seals agree. Run `tessera migrate`, and start the processes.")


def _archive(settings: Settings) -> Archive:
    if settings.database_url is not None:
        raise CannotStart("TESSERA_DATABASE_URL is set: an external Postgres is archived by its own tools")
    archive = provision.archive_of(settings)
    if archive is None:
        raise CannotStart("TESSERA_ARCHIVE_DIR is not set: set it to a directory, preferably on another disk")
    return archive
