"""Commands on organizations."""

from typing import Annotated

import typer

from tessera.cli import organization_deletion, organization_files
from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import pinned_to, with_organization
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson, Yes
from tessera.cli.organization_session import NamedOrganizationSession
from tessera.cli.output import fields_of, show, show_rows
from tessera.cli.startup import start
from tessera.identity import provisioning
from tessera.identity.organizations import freezing
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.kit.db.database import Access
from tessera.kit.editing import Target
from tessera.kit.identifiers import new_id

Name = Annotated[str, typer.Argument(help="The name, unique regardless of case.", metavar="NAME")]

commands = CommandGroup()
commands.command("export")(organization_files.export_organization)
commands.command("import")(organization_files.import_organization)
commands.command("delete")(organization_deletion.delete_organization)


@commands.command("create")
def create_organization(name: Name, *, as_json: AsJson = False) -> None:
    """Create an organization."""
    organization_id = pinned_to(
        start(), new_id(), lambda work: provisioning.create_organization(work, name=name, now=clock())
    )
    show(f"Created the organization {name}.", {"name": name, "id": organization_id}, as_json=as_json)


@commands.command("list")
def list_organizations(*, as_json: AsJson = False) -> None:
    """List all organizations, newest first."""
    rows = pinned_to(start(), PLATFORM_ID, provisioning.list_organizations)
    show_rows(
        [fields_of(row, "name", "is_active", "frozen_at", "id") for row in reversed(rows)],
        as_json=as_json,
        if_none="There are no organizations yet.",
    )


@commands.command("rename")
def rename_organization(session: NamedOrganizationSession, name: Name) -> None:
    """Rename an organization."""
    organization = session.run(
        lambda work: organizations.rename(work, Target(work.organization_id), name=name, now=clock())
    )
    session.show(f"Renamed the organization to {name}.", fields_of(organization, "name", "id"))


@commands.command("deactivate")
def deactivate_organization(session: NamedOrganizationSession, *, yes: Yes = False) -> None:
    """Deactivate an organization and thereby all of its credentials."""
    confirm(f"Deactivate the organization {session.organization}? All of its credentials stop working.", yes=yes)
    session.run(lambda work: organizations.deactivate(work, Target(work.organization_id), now=clock()))
    session.show("Deactivated the organization.", {"name": session.organization, "isActive": False})


@commands.command("activate")
def activate_organization(session: NamedOrganizationSession) -> None:
    """Reactivate an organization."""
    session.run(lambda work: organizations.activate(work, Target(work.organization_id), now=clock()))
    session.show("Activated the organization.", {"name": session.organization, "isActive": True})


@commands.command("freeze")
def freeze_organization(session: NamedOrganizationSession) -> None:
    """Let an organization be read but not changed.

    Changes get 503 with Retry-After, and workers leave its jobs alone. When the command ends, no change can still
    succeed: it waits for running transactions, for at most 15 minutes.
    """
    organization = with_organization(
        start(), session.organization, lambda database: freezing.freeze(database.unit_of_work, now=clock())
    )
    session.show("Froze the organization.", fields_of(organization, "name", "frozen_at"))


@commands.command("unfreeze")
def unfreeze_organization(session: NamedOrganizationSession) -> None:
    """Let a frozen organization be changed again."""
    organization = session.run(
        lambda work: organizations.unfreeze(work, Target(work.organization_id), now=clock()), access=Access.MOVE
    )
    session.show("Unfroze the organization.", fields_of(organization, "name", "frozen_at"))
