"""Store exams: creation, edits, archiving and reactivation."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.catalog import rules
from tessera.catalog.rules import Status, StoreExamDraft
from tessera.catalog.store_exams.repository import ManagedStoreExam, StoreExamFilter, StoreExamRepository
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation
from tessera.kit.identifiers import new_id

__all__ = ["ManagedStoreExam", "StoreExamFilter"]

_EXAMS: Editable[ManagedStoreExam] = Editable(kind="StoreExam", noun="store exam", moves=rules.MOVES)


async def create(work: UnitOfWork, *, draft: StoreExamDraft, now: datetime) -> ManagedStoreExam:
    """Put an exam on sale; raises Invalid with every violation, including a code that is already used."""
    violations = list(rules.store_exam_violations(draft))
    if violations or draft.code is None or draft.name is None or draft.price is None:
        raise Invalid(violations)
    exam = ManagedStoreExam(
        id=new_id(),
        code=draft.code,
        name=draft.name,
        price=round(draft.price, 2),
        status=Status.ACTIVE,
        created_at=now,
        version=editing.FIRST,
    )
    if not await StoreExamRepository(work).add(exam):
        raise Invalid([Violation("CodeTaken", "code", f"must be unique, and '{exam.code}' is taken")])
    await _EXAMS.record_created(work, exam, now=now)
    return exam


async def get(work: UnitOfWork, exam_id: UUID) -> ManagedStoreExam:
    """The store exam with this id; raises NotFound."""
    return _EXAMS.require(await StoreExamRepository(work).find(exam_id))


async def list_by_cursor(
    work: UnitOfWork, *, filters: StoreExamFilter, after: str | None, size: int
) -> CursorPage[ManagedStoreExam]:
    """A page of store exams, oldest first; raises Invalid for a cursor of another list."""
    return await StoreExamRepository(work).list_by_cursor(filters, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: StoreExamDraft, now: datetime) -> ManagedStoreExam:
    """Change the name and the price of an exam, never its code; raises Invalid, NotFound, VersionStale."""
    violations = list(rules.store_exam_violations(draft))
    if violations or draft.name is None or draft.price is None:
        raise Invalid(violations)
    repository = StoreExamRepository(work)
    exam = await _EXAMS.lock(repository, target)
    after = replace(exam, name=draft.name, price=round(draft.price, 2))
    return await _EXAMS.save(work, repository, exam, after, Action.UPDATED, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedStoreExam:
    """Take an exam off sale; raises NotFound, VersionStale, WrongState."""
    return await _EXAMS.move(work, StoreExamRepository(work), target, Status.ARCHIVED, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedStoreExam:
    """Put an archived exam on sale again; raises NotFound, VersionStale, WrongState."""
    return await _EXAMS.move(work, StoreExamRepository(work), target, Status.ACTIVE, now=now)
