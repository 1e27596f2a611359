"""Store exams and their whole life: put on sale, changed, archived, put on sale again."""

from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.catalog import rules
from tessera.catalog.rules import Status, StoreExamDraft
from tessera.catalog.store_exams.repository import ManagedStoreExam, StoreExamFilter, StoreExamRepository
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, Violation, WrongState
from tessera.kit.identifiers import new_id

__all__ = ["ManagedStoreExam", "StoreExamFilter"]

KIND = "StoreExam"


async def create(work: UnitOfWork, *, draft: StoreExamDraft, now: datetime) -> ManagedStoreExam:
    """Put an exam on sale; raises Invalid with every violation, also of a code that is taken."""
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
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=exam.id, after=asdict(exam)), now=now)
    return exam


async def get(work: UnitOfWork, exam_id: UUID) -> ManagedStoreExam:
    """The store exam with this id; raises NotFound."""
    return _found(await StoreExamRepository(work).find(exam_id))


async def list_by_cursor(
    work: UnitOfWork, *, wanted: StoreExamFilter, after: str | None, size: int
) -> CursorPage[ManagedStoreExam]:
    """A part of the store exams, oldest first; raises Invalid for a cursor of another list."""
    return await StoreExamRepository(work).list_by_cursor(wanted, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: StoreExamDraft, now: datetime) -> ManagedStoreExam:
    """Give an exam another name and price; the code stays. Raises Invalid, NotFound, VersionStale."""
    violations = list(rules.store_exam_violations(draft))
    if violations or draft.name is None or draft.price is None:
        raise Invalid(violations)
    exam = await _lock(work, target)
    return await _change(
        work, exam, replace(exam, name=draft.name, price=round(draft.price, 2)), Action.UPDATED, now=now
    )


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedStoreExam:
    """Sell it no longer; raises NotFound, VersionStale, WrongState."""
    exam = await _lock(work, target)
    if exam.status == Status.ARCHIVED:
        raise WrongState("store exam", exam.status)
    return await _change(work, exam, replace(exam, status=Status.ARCHIVED), Action.ARCHIVED, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedStoreExam:
    """Sell an archived one again; raises NotFound, VersionStale, WrongState."""
    exam = await _lock(work, target)
    if exam.status == Status.ACTIVE:
        raise WrongState("store exam", exam.status)
    return await _change(work, exam, replace(exam, status=Status.ACTIVE), Action.ACTIVATED, now=now)


async def _lock(work: UnitOfWork, target: Target) -> ManagedStoreExam:
    exam = _found(await StoreExamRepository(work).lock(target.id))
    target.ensure(exam.version)
    return exam


async def _change(
    work: UnitOfWork, before: ManagedStoreExam, after: ManagedStoreExam, action: Action, *, now: datetime
) -> ManagedStoreExam:
    after = replace(after, version=before.version + 1)
    await StoreExamRepository(work).change(after)
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after


def _found(exam: ManagedStoreExam | None) -> ManagedStoreExam:
    if exam is None:
        raise NotFound("There is no such store exam.")
    return exam
