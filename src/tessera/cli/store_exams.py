"""Commands on store exams."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from tessera.catalog.rules import StoreExamDraft
from tessera.catalog.store_exams import service as exams
from tessera.catalog.store_exams.service import ManagedStoreExam, StoreExamFilter
from tessera.cli.lookups import catalog as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Name, Price, parse_decimal
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock

Code = Annotated[str, typer.Argument(help="The code of the exam, in any case.", metavar="CODE")]
Exam = Annotated[str, typer.Argument(help="The exam's code (any case) or id.", metavar="EXAM")]

commands = CommandGroup()


@commands.command("create")
def create_exam(session: OrganizationSession, code: Code, name: Name, price: Price) -> None:
    """Create a store exam; its code cannot be changed."""
    draft = StoreExamDraft(code=code, name=name, price=parse_decimal("price", price))
    exam = session.run(lambda work: exams.create(work, draft=draft, now=clock()))
    session.show(f"Created the exam {exam.code}.", _fields(exam))


@commands.command("list")
def list_exams(session: OrganizationSession) -> None:
    """List store exams including archived ones, newest first."""
    rows = session.fetch_newest(partial(exams.list_by_cursor, filters=StoreExamFilter()))
    session.show_rows([_fields(exam) for exam in rows], if_none="There are no store exams yet.")


@commands.command("update")
def update_exam(session: OrganizationSession, exam: Exam, name: Name, price: Price) -> None:
    """Change the name and the price of a store exam."""
    draft = StoreExamDraft(name=name, price=parse_decimal("price", price))
    _change(session, exam, partial(exams.update, draft=draft), "Changed")


@commands.command("archive")
def archive_exam(session: OrganizationSession, exam: Exam) -> None:
    """Archive a store exam, which is then no longer sold."""
    _change(session, exam, exams.archive, "Archived")


@commands.command("activate")
def activate_exam(session: OrganizationSession, exam: Exam) -> None:
    """Reactivate an archived store exam."""
    _change(session, exam, exams.activate, "Reactivated")


def _change(
    session: OrganizationSession, code_or_id: str, change: Callable[..., Awaitable[ManagedStoreExam]], verb: str
) -> None:
    exam = session.change(lookups.exam_id, code_or_id, change)
    session.show(f"{verb} the exam {exam.code}.", _fields(exam))


def _fields(exam: ManagedStoreExam) -> Fields:
    return fields_of(exam, "code", "name", "price", "status", "id")
