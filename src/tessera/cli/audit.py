"""Commands that read and verify the audit log."""

from collections.abc import Mapping
from typing import Annotated

import typer

from tessera.audit import service as audit
from tessera.audit.seals import service as seals
from tessera.audit.service import Entry, EntryFilter
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Limit
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.db.database import Access

FLAWS: Mapping[str, str] = {
    "Altered": "was altered, or the previous entry was altered together with its seal",
    "EntryMissing": "was removed",
    "SealMissing": "lost its seal",
    "NotSealed": "has no seal and is not queued for one",
    "HeadDiffers": "differs from the head in --head: the chain was truncated or rewritten",
}

commands = CommandGroup()


@commands.command("list")
def list_entries(
    session: OrganizationSession,
    kind: Annotated[str | None, typer.Option(help="The kind of the changed record, such as StoreExam.")] = None,
    actor: Annotated[str | None, typer.Option(help="The name of the actor.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """List the latest changes, newest first."""
    filters = EntryFilter(entity_kind=kind, actor_name=actor)
    page = session.run(lambda work: audit.list_by_cursor(work, filters=filters, after=cursor, size=limit))
    session.show_rows([_row(entry) for entry in page.items], if_none="There are no changes yet.", cursor=page.cursor)


@commands.command("verify")
def verify(
    session: OrganizationSession,
    head: Annotated[str | None, typer.Option(help="The head that an earlier run printed, POSITION:DIGEST.")] = None,
) -> None:
    """Verify the audit log; exits with status 1 if it was tampered with.

    The command finds every edit, removal or reordering of entries, and prints the head of the chain. Store the head
    outside of the database and pass it to the next run, which then also detects that the chain was truncated or
    completely rewritten.
    """
    known_head = seals.parse_head(head) if head is not None else None
    verdict = session.run(lambda work: seals.verify(work, known_head=known_head), access=Access.SNAPSHOT)
    if not verdict.findings:
        counts = {"unsealed": verdict.unsealed, "erased": verdict.erased}
        fields = {"entries": verdict.head.position, "head": verdict.head.text(), **counts}
        session.show("The audit log matches its seals.", fields)
        return
    rows = [
        {**fields_of(finding, "flaw", "position", "entry_id", entry_id="entry"), "meaning": FLAWS[finding.flaw]}
        for finding in verdict.findings
    ]
    session.show_rows(rows, if_none="")
    raise typer.Exit(1)


def _row(entry: Entry) -> Fields:
    names = ("at", "actor_name", "action", "entity_kind", "entity_id")
    fields = fields_of(entry, *names, actor_name="actor", entity_kind="kind")
    return fields | {"actor": f"{entry.actor_kind} {entry.actor_name}"}
