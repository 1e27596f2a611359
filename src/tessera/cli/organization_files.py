"""Commands that export an organization to a file, and import it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from tessera.cli import output
from tessera.cli.database_sessions import Installation, OrganizationDatabase, with_installation, with_organization
from tessera.cli.files import new_file
from tessera.cli.options.types import AsJson
from tessera.cli.organization_session import NamedOrganizationSession
from tessera.cli.progress import bar
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.control_characters import visible
from tessera.transfers import service
from tessera.transfers.format import Summary
from tessera.transfers.service import Checked

NewFile = Annotated[Path, typer.Argument(help="The file to write, which must not exist.", metavar="FILE")]
ExportedFile = Annotated[
    Path, typer.Argument(help="The file of an organization.", metavar="FILE", exists=True, dir_okay=False)
]
WithCredentials = Annotated[
    bool, typer.Option("--with-credentials", help="Include clients, keys and tokens, as digests of their secrets.")
]


def export_organization(
    session: NamedOrganizationSession, file: NewFile, *, with_credentials: WithCredentials = False
) -> None:
    """Export everything of an organization to a file.

    The file has its state at one moment. It appears when it is complete, and only its owner can read it. Freeze the
    organization before if it moves to another installation.
    """
    with new_file(file, replaces=False) as target:
        export = with_organization(
            start(), session.organization, lambda database: write(database, target, with_credentials=with_credentials)
        )
    fields = {"file": str(file), "rows": export.count, "digest": export.digest}
    session.show(f"Exported {session.organization} to {file}.", fields)


async def write(database: OrganizationDatabase, target: BinaryIO, *, with_credentials: bool) -> Summary:
    """Write the file of an organization to the disk, and record the export."""
    export = await read_out(database, target, with_credentials=with_credentials)
    target.flush()
    os.fsync(target.fileno())
    await service.record_export(database.installation.open_work, database.organization_id, export, now=clock())
    return export


async def read_out(database: OrganizationDatabase, target: BinaryIO, *, with_credentials: bool) -> Summary:
    """Write the file of an organization, with a progress bar."""
    open_work, organization_id = database.installation.open_work, database.organization_id
    with bar("Exporting", length=await service.count_rows(open_work, organization_id)) as set_position:
        return await service.export(
            open_work, organization_id, target, with_credentials=with_credentials, set_position=set_position
        )


def import_organization(file: ExportedFile, *, as_json: AsJson = False) -> None:
    """Import an organization from the file of an export.

    The whole file is checked first. If the import is interrupted, run it again to go on; until all rows have arrived,
    no credential of the organization is valid. Afterwards it is frozen, until `tessera organization unfreeze`. Exits
    with status 1 if its ledger or its audit log does not match.
    """
    with file.open("rb") as content:
        checked, findings = with_installation(start(), lambda installation: read(installation, content))
    header = checked.header
    fields = {"name": header.name, "id": header.organization_id, "rows": checked.summary.count}
    output.show(f"Imported {header.name}, which is frozen.", fields | {"findings": len(findings)}, as_json=as_json)
    for finding in findings:
        typer.echo(visible(finding), err=True)
    if findings:
        raise typer.Exit(1)


async def read(installation: Installation, content: BinaryIO) -> tuple[Checked, Sequence[str]]:
    """Check a file, import it, and verify the organization, with progress bars."""
    open_work = installation.open_work
    with bar("Checking", length=os.fstat(content.fileno()).st_size) as set_position:
        checked = await service.check(open_work, content, set_position=set_position)
    with bar("Importing", length=checked.summary.count) as set_position:
        await service.import_file(open_work, content, checked, set_position=set_position, now=clock())
    return checked, await service.verify(open_work, checked.header.organization_id)
