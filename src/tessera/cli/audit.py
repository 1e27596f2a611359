"""Commands on the audit log: reading it, and finding out whether anybody has tampered with it."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tessera.audit import service as audit
from tessera.audit.seals import service as seals
from tessera.audit.service import EntryFilter
from tessera.cli.database_sessions import in_organization
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start

WORDS: Mapping[str, str] = {
    "Altered": "was altered, or the one before it together with its seal",
    "EntryMissing": "was removed",
    "SealMissing": "has no seal any more",
    "NotSealed": "has no seal and waits for none",
    "HeadDiffers": "is not the head that was noted: the chain was cut off or written anew",
}

commands = typer.Typer(no_args_is_help=True)


@commands.command("list")
def list_entries(
    organization: Organization,
    kind: Annotated[str | None, typer.Option(help="Changes of things of this kind, such as StoreExam.")] = None,
    actor: Annotated[str | None, typer.Option(help="Changes by this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the latest changes, newest first."""
    wanted = EntryFilter(entity_kind=kind, actor_name=actor)
    part = in_organization(
        start(), organization, lambda work: audit.list_by_cursor(work, filters=wanted, after=None, size=limit)
    )
    rows: list[dict[str, Any]] = [
        {
            "at": entry.at,
            "actor": f"{entry.actor_kind} {entry.actor_name}",
            "action": entry.action,
            "kind": entry.entity_kind,
            "entityId": entry.entity_id,
        }
        for entry in part.items
    ]
    show_rows(rows, as_json=as_json, if_none="Nothing was changed yet.")


@commands.command("verify")
def verify(
    organization: Annotated[str, typer.Argument(help="Its name, in any case, or its id.", metavar="ORGANIZATION")],
    head: Annotated[
        str | None, typer.Option(help="A head that was noted before, POSITION:DIGEST; it must be in the chain still.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find every edit, removal or swap in the audit log, whoever made it; ends with status 1 if there is one.

    It tells the head of the chain. Note it elsewhere: with it the next run also finds out whether the end of the chain
    was cut off, or all of it written anew.
    """
    noted = seals.parse_head(head) if head is not None else None
    verdict = in_organization(start(), organization, lambda work: seals.verify(work, noted=noted))
    if not verdict.findings:
        fields = {"entries": verdict.head.position, "head": verdict.head.text()}
        show("The audit log is as it was sealed.", fields, as_json=as_json)
        return
    rows: list[dict[str, Any]] = [
        {
            "flaw": finding.flaw,
            "position": finding.position,
            "entry": finding.entry_id,
            "meaning": WORDS[finding.flaw],
        }
        for finding in verdict.findings
    ]
    show_rows(rows, as_json=as_json, if_none="")
    sys.exit(1)
