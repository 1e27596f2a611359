"""Commands on persons."""

from pathlib import Path
from typing import Annotated

import typer

from tessera import backup as backups
from tessera.cli import output
from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import with_database
from tessera.cli.erased_again import show_erased_again
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.wire import wire_fields
from tessera.persons import service
from tessera.persons.erasures import lists as erasure_list
from tessera.persons.erasures import service as erasures

Person = Annotated[
    str, typer.Argument(help="The person id of a candidate, or the e-mail address of any person.", metavar="PERSON")
]
ErasuresFile = Annotated[
    Path, typer.Argument(help="The output of `tessera person erasures`.", metavar="FILE", exists=True, dir_okay=False)
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


@commands.command("erase")
def erase_person(session: OrganizationSession, person: Person, *, yes: Yes = False) -> None:
    """Replace everything that names a person by tombstones.

    Counts, amounts, limits and reports stay. A user must be deactivated first. Backups from before still name the
    person: store the list of `tessera person erasures` with them.
    """
    confirm(f"Erase {person} permanently?", yes=yes)
    erasure = session.run(lambda work: erasures.erase(work, person, now=clock()))
    fields = fields_of(erasure, "erased_at", "live_holds", "live_redemptions", "unused_vouchers")
    session.show("Erased the person.", fields | {"changedRecords": sum(erasure.changed.values())})


@commands.command("erasures")
def list_erasures() -> None:
    """Print the list of erasures of all organizations.

    It is for `tessera restore --erasures`. It has digests and their secrets, and names nobody. With it, a restore
    of an older backup erases the same persons.
    """
    output.show("", with_database(start(), erasure_list.collect), as_json=True)


@commands.command("erase-again")
def erase_persons_again(file: ErasuresFile) -> None:
    """Erase the persons of a list of erasures again.

    The command is for a restored database, and can be repeated. Those who cannot be erased are named by their
    entries of the list, and the command exits with status 1: erase them by `tessera person erase`. `tessera
    restore --erasures` does the same. Use it after `tessera archive restore`, and after a restore by tools of
    Postgres, before any process serves the database.
    """
    listed = backups.read_erasures(file)
    show_erased_again(with_database(start(), lambda database: erasure_list.apply(database, listed, now=clock())))
