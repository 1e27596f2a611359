"""The commands that back up and restore the database."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tessera import backup as backups
from tessera import provision
from tessera import settings as configuration
from tessera.backup import Backup
from tessera.cli.erased_again import show_erased_again
from tessera.cli.files import new_file
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, Embedded, require_database, require_existing_database, start
from tessera.kit.clock import clock
from tessera.kit.control_characters import visible
from tessera.kit.secret_files import write_private
from tessera.settings import Settings

RESTORED_KEYS = "restored-keys.env"

BackupFile = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE")]

commands = CommandGroup()


@commands.command("backup")
def back_up(
    file: BackupFile,
    *,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="Include the signing keys of tokens.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also restore the backup into a temporary server, and check its data.")
    ] = False,
) -> None:
    """Back up the whole database to a file.

    The database can be in use: the file has its state at one moment. The file appears when it is complete, and only
    its owner can read it. An external database needs TESSERA_OWNER_DATABASE_URL with the login of a superuser.
    """
    settings = start(settings=configuration.with_stored_key(configuration.load()))
    require_existing_database(settings)
    if with_keys and not settings.token_keys:
        raise CannotStart("there are no keys to back up: TESSERA_TOKEN_KEYS is not set")
    with new_file(file, replaces=False) as output:
        with provision.database(settings) as addresses:
            written = backups.write(settings, addresses, output, with_keys=with_keys, now=clock())
        output.flush()
        os.fsync(output.fileno())
        if verify:
            with backups.opened(output) as (archive, about):
                _exit_if_any(backups.verify(settings, archive, about))
    typer.echo(f"Backed up {_summary(written)} to {file}{', and restored it on trial' if verify else ''}.")
    if not with_keys:
        typer.echo(
            "The backup lacks the signing keys: keep TESSERA_TOKEN_KEYS elsewhere, or use --with-keys.", err=True
        )


@commands.command("restore")
def restore(
    file: BackupFile,
    *,
    trial: Annotated[
        bool, typer.Option("--trial", help="Restore into a temporary server, check the data, and keep nothing.")
    ] = False,
    erasures: Annotated[
        Path | None,
        typer.Option(
            help="The list of `tessera person erasures`: migrate, and erase these persons again.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    embedded: Embedded = False,
) -> None:
    """Restore a backup into an empty database.

    It creates the roles, then restores all data in one transaction. A database that has any table is left as it is. An
    external database needs TESSERA_OWNER_DATABASE_URL with the login of a superuser.
    """
    settings = start()
    listed = backups.read_erasures(erasures) if erasures else None  # if it is damaged, the database stays empty
    with backups.opened(file) as (archive, about):
        if trial:
            _exit_if_any(backups.verify(settings, archive, about))
            typer.echo(f"The backup of {_summary(about)} can be restored. The ledger, reports and seals agree.")
            return
        require_database(settings, embedded=embedded)
        keys = backups.keys_of(archive) if about.has_keys else None  # if they are damaged, the database stays empty
        with provision.database(settings) as addresses:
            backups.restore(settings, addresses, archive, about)
            erased = backups.erase_again(addresses, listed, now=clock()) if listed is not None else None
        typer.echo(f"Restored {_summary(about)}, as of {about.created_at}.")
        if keys is not None:
            _store_keys(settings, keys)
    typer.echo("Run `tessera migrate`, and start the processes.")
    if erased is not None:
        show_erased_again(erased)


def _store_keys(settings: Settings, keys: Mapping[str, str]) -> None:
    path = settings.data_dir / RESTORED_KEYS
    text = ",".join(f"{kid}:{secret}" for kid, secret in keys.items())
    write_private(path, f"TESSERA_TOKEN_KEYS={text}\n")
    typer.echo(f"The signing keys are in {path}: set TESSERA_TOKEN_KEYS to them, and delete the file.")


def _summary(backup: Backup) -> str:
    rows = sum(backup.contents.rows.values())
    return f"{rows:,} rows in {len(backup.contents.rows)} tables"


def _exit_if_any(findings: Sequence[str]) -> None:
    for finding in findings:
        typer.echo(visible(finding), err=True)
    if findings:
        typer.echo("The backup is not sound.", err=True)
        raise typer.Exit(1)
