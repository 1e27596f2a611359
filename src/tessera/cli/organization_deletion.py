"""The command that deletes an organization, in two steps."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import OrganizationDatabase, with_organization
from tessera.cli.files import new_file
from tessera.cli.options.types import Yes
from tessera.cli.organization_files import WithCredentials, read_out, write
from tessera.cli.organization_session import NamedOrganizationSession
from tessera.cli.progress import bar
from tessera.cli.startup import CannotStart, start
from tessera.identity.organizations import freezing
from tessera.kit.clock import clock
from tessera.transfers import service as transfers
from tessera.transfers.deletions import service as deletions


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The step of a deletion: its request after an export, its cancellation, or the deletion itself."""

    export: Annotated[Path | None, typer.Option(help="Export to this new file, then request the deletion.")] = None
    digest: Annotated[
        str | None, typer.Option(help="Request the deletion after the export with this digest, if nothing has changed.")
    ] = None
    with_credentials: WithCredentials = False
    after_days: Annotated[int, typer.Option(min=0, max=3660, help="The waiting time before the deletion.")] = 30
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the request; the organization stays frozen.")] = False
    confirm: Annotated[bool, typer.Option("--confirm", help="Delete everything, after the waiting time.")] = False


def delete_organization(session: NamedOrganizationSession, step: Step, *, yes: Yes = False) -> None:
    """Delete an organization, in two steps.

    Request it with --export or --digest, and confirm it after the waiting time. The request freezes the
    organization. A deletion that was interrupted goes on when --confirm runs again. An import that is not complete
    can be deleted without a waiting time, by the digest of its file.
    """
    if [step.export is not None, step.digest is not None, step.cancel, step.confirm].count(True) != 1:
        raise CannotStart("choose one of --export FILE, --digest DIGEST, --cancel and --confirm")
    name = session.organization
    if step.confirm:
        confirm(f"Delete the organization {name} and everything of it? Nobody can undo it.", yes=yes)
        rows = with_organization(start(), name, _delete)
        session.show(f"Deleted {name}.", {"name": name, "rows": rows})
    elif step.cancel:
        with_organization(start(), name, _cancel)
        session.show(f"The organization {name} will not be deleted; it is frozen.", {"name": name})
    else:
        due_at = with_organization(start(), name, lambda database: _request(database, step))
        session.show(f"The organization {name} is frozen, and can be deleted.", {"name": name, "dueAt": due_at})


async def _request(database: OrganizationDatabase, step: Step) -> object:
    open_work, organization_id, now = database.installation.open_work, database.organization_id, clock()
    if (digest := await deletions.find_import(open_work, organization_id)) is not None and digest == step.digest:
        await deletions.request(open_work, organization_id, digest=digest, due_at=now, now=now)
        return now
    await freezing.freeze(database.unit_of_work, now=now)
    if step.export is not None:
        with new_file(step.export, replaces=False) as target:
            summary = await write(database, target, with_credentials=step.with_credentials)
    else:
        with open(os.devnull, "wb") as target:  # noqa: ASYNC230, PTH123 - no file
            summary = await read_out(database, target, with_credentials=step.with_credentials)
        if summary.digest != step.digest:
            raise CannotStart("the organization, which is frozen now, differs from the export with this digest")
    due_at = now + timedelta(days=step.after_days)
    await deletions.request(open_work, organization_id, digest=summary.digest, due_at=due_at, now=now)
    return due_at


async def _cancel(database: OrganizationDatabase) -> None:
    await deletions.cancel(database.installation.open_work, database.organization_id, now=clock())


async def _delete(database: OrganizationDatabase) -> int:
    open_work, organization_id = database.installation.open_work, database.organization_id
    with bar("Deleting", length=await transfers.count_rows(open_work, organization_id)) as set_position:
        return await deletions.delete(open_work, organization_id, set_position=set_position, now=clock())
