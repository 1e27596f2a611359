"""Commands on organizations."""

from typing import Annotated

import typer

from tessera.cli.database_sessions import pinned_to
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of, show, show_rows
from tessera.cli.startup import start
from tessera.identity import provisioning
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.kit.editing import Target
from tessera.kit.identifiers import new_id

Name = Annotated[str, typer.Argument(help="The name, unique regardless of case.", metavar="NAME")]

commands = CommandGroup()


@commands.command("create")
def create_organization(name: Name, *, as_json: AsJson = False) -> None:
    """Create an organization."""
    organization_id = pinned_to(
        start(), new_id(), lambda work: provisioning.create_organization(work, name=name, now=clock())
    )
    show(f"Created the organization {name}.", {"id": organization_id, "name": name}, as_json=as_json)


@commands.command("list")
def list_organizations(*, as_json: AsJson = False) -> None:
    """List all organizations, oldest first."""
    rows = pinned_to(start(), PLATFORM_ID, provisioning.list_organizations)
    show_rows(
        [fields_of(row, "id", "name", "is_active") for row in rows],
        as_json=as_json,
        if_none="There are no organizations yet.",
    )


@commands.command("rename")
def rename_organization(session: OrganizationSession, name: Name) -> None:
    """Rename an organization."""
    organization = session.run(
        lambda work: organizations.rename(work, Target(work.organization_id), name=name, now=clock())
    )
    session.show(f"Renamed the organization to {name}.", fields_of(organization, "id", "name"))


@commands.command("deactivate")
def deactivate_organization(session: OrganizationSession) -> None:
    """Deactivate an organization and thereby all of its credentials."""
    session.run(lambda work: organizations.deactivate(work, Target(work.organization_id), now=clock()))
    session.show("Deactivated the organization.", {"name": session.organization, "isActive": False})


@commands.command("activate")
def activate_organization(session: OrganizationSession) -> None:
    """Reactivate an organization."""
    session.run(lambda work: organizations.activate(work, Target(work.organization_id), now=clock()))
    session.show("Activated the organization.", {"name": session.organization, "isActive": True})
