"""Commands on persons."""

from typing import Annotated

import typer

from tessera.cli import output
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.organization_session import OrganizationSession
from tessera.kit.clock import clock
from tessera.kit.wire import wire_fields
from tessera.persons import service

Person = Annotated[
    str, typer.Argument(help="The person id of a candidate, or the e-mail address of any person.", metavar="PERSON")
]

commands = CommandGroup()


@commands.command("export")
def export_person(session: OrganizationSession, person: Person) -> None:
    """Print all records about a person, always as JSON.

    Notes, metadata of other records, stored responses and the audit log are not searched.
    """
    records = session.run(lambda work: service.export(work, person, now=clock()))
    exported = wire_fields({table: [wire_fields(row) for row in rows] for table, rows in records.items()})
    output.show("", {"records": exported}, as_json=True)
