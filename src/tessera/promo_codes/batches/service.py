"""Batches of promo codes: their creation, the creation of their codes by jobs, cancellation and resumption."""

from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.editing import Editable
from tessera.audit.rules import Action, Change
from tessera.kit.db import job_queue
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, TooManyRequests
from tessera.kit.identifiers import new_id
from tessera.promo_codes import drafts
from tessera.promo_codes import rules as promo_codes
from tessera.promo_codes.batches import rules
from tessera.promo_codes.batches.codes import random_names
from tessera.promo_codes.batches.repository import Batch, BatchRepository, NewBatch
from tessera.promo_codes.batches.rules import BatchDraft, BatchStatus
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.rules import Status, terms_of
from tessera.promo_codes.texts import service as texts

__all__ = ["Batch"]

MAKE_PROMO_CODES = "make_promo_codes"
# Small enough that other jobs run soon, even while every worker runs such a job.
CODES_PER_JOB = 2_500
# Vouchers of purchases come first, however many jobs of either kind wait.
PRIORITY = -1_000_000
# A round rarely draws a taken name. If this many rounds do not suffice, hardly any name is unused.
MAX_ROUNDS = 20
RETRY_SECONDS = 30
_BATCHES: Editable[Batch] = Editable(
    kind="PromoCodeBatch",
    noun="batch",
    moves=rules.MOVES,
    values=lambda batch: {"status": batch.status, "made": batch.made, "version": batch.version},
)


async def create(work: UnitOfWork, *, draft: BatchDraft, now: datetime, max_open: int | None = None) -> Batch:
    """Create a batch and queue its job in the same transaction.

    Raises Invalid with every violation, and TooManyRequests if `max_open` batches of the organization are in progress.
    """
    owner_id = work.organization_id
    draft = replace(draft, codes=promo_codes.with_share(draft.codes, owner_id=owner_id))
    references = await drafts.resolve_references(work, draft.codes)
    violations = [*promo_codes.managed_violations(draft.codes, owner_id=owner_id, now=now), *rules.violations(draft)]
    violations += drafts.unknown_references(draft.codes, references)
    batches = BatchRepository(work)
    if draft.pattern.length is not None and draft.quantity is not None and not violations:
        used_names = await batches.count_used_names(draft.pattern)
        violations += rules.space_violations(draft.pattern, quantity=draft.quantity, used_names=used_names)
    if violations:
        raise Invalid(violations)
    await _ensure_room(batches, max_open)
    batch = _new_batch(draft, references)
    await batches.add(batch, now=now)
    await queue(work, batch.id)
    created = await get(work, batch.id)
    change = Change(action=Action.CREATED, kind=_BATCHES.kind, id=batch.id, after=asdict(created))
    await audit.record(work, change, now=now)
    return created


async def get(work: UnitOfWork, batch_id: UUID) -> Batch:
    """The batch with this id; raises NotFound."""
    return _BATCHES.require(await BatchRepository(work).find(batch_id))


async def list_by_cursor(work: UnitOfWork, *, newest: bool = False, after: str | None, size: int) -> CursorPage[Batch]:
    """A page of batches, oldest or newest first; raises Invalid for a cursor of another list."""
    return await BatchRepository(work).list_by_cursor(newest=newest, after=after, size=size)


async def cancel(work: UnitOfWork, target: Target, *, now: datetime) -> Batch:
    """Stop the creation of a batch's codes; existing codes stay. Raises NotFound, VersionStale, WrongState."""
    return await _BATCHES.move(work, BatchRepository(work), target, BatchStatus.CANCELLED, now=now)


async def resume(work: UnitOfWork, target: Target, *, now: datetime, max_open: int | None = None) -> Batch:
    """Resume a cancelled or exhausted batch; raises NotFound, VersionStale, WrongState, TooManyRequests."""
    await _ensure_room(BatchRepository(work), max_open)
    batch = await _BATCHES.move(work, BatchRepository(work), target, BatchStatus.IN_PROGRESS, now=now)
    await queue(work, batch.id)
    return batch


async def queue(work: UnitOfWork, batch_id: UUID) -> None:
    """Queue the job that creates the next codes of a batch after this transaction commits."""
    await job_queue.defer(work, MAKE_PROMO_CODES, {"batch_id": str(batch_id)}, priority=PRIORITY)


async def create_next_codes(work: UnitOfWork, batch_id: UUID, *, now: datetime) -> Batch:
    """Create the next codes of a batch in progress, at most 2,500, and record its progress; raises NotFound.

    One transaction locks the batch, adds the codes and records the progress, so that the batch gets exactly its
    quantity even if workers crash or several of them process it.
    """
    batches = BatchRepository(work)
    batch = _BATCHES.require(await batches.lock(batch_id))
    if batch.status != BatchStatus.IN_PROGRESS:
        return batch
    count = min(CODES_PER_JOB, batch.quantity - batch.made)
    await texts.lock_to_add_promo_codes(work)
    added_count = await _add_codes(batches, batch, count, now=now)
    after = replace(batch, made=batch.made + added_count)
    if after.made == batch.quantity:
        return await _end(work, after, BatchStatus.COMPLETE, now=now)
    if added_count < count:
        return await _end(work, after, BatchStatus.EXHAUSTED, now=now)
    after = replace(after, version=batch.version + 1)
    await batches.change(after)
    return after


async def _ensure_room(batches: BatchRepository, max_open: int | None) -> None:
    if max_open is not None and await batches.count_open(limit=max_open) >= max_open:
        message = f"{max_open:,} batches of your organization are in progress. Wait until one is complete."
        raise TooManyRequests(message, limit="batches", retry_after=RETRY_SECONDS)


async def _end(work: UnitOfWork, batch: Batch, status: BatchStatus, *, now: datetime) -> Batch:
    after = replace(batch, status=status)
    return await _BATCHES.save(work, BatchRepository(work), batch, after, rules.MOVES[status].action, now=now)


async def _add_codes(batches: BatchRepository, batch: Batch, count: int, *, now: datetime) -> int:
    missing = count
    for _ in range(MAX_ROUNDS):
        names = random_names(missing, prefix=batch.prefix, length=batch.length, alphabet=batch.alphabet)
        if not names:
            break
        missing -= await batches.add_codes(batch.id, names, now=now)
    return count - missing


def _new_batch(draft: BatchDraft, references: ResolvedReferences) -> NewBatch:
    codes = draft.codes
    return NewBatch(
        id=new_id(),
        prefix=draft.pattern.prefix or "",
        length=draft.pattern.length or 0,
        alphabet=draft.pattern.alphabet or "",
        quantity=draft.quantity or 0,
        code_status=Status.ACTIVE if codes.is_active else Status.INACTIVE,
        **terms_of(codes),
        store_exam_ids=tuple(exam_id for exam_id, _ in drafts.exams_of(codes, references)),
        product_bundle_ids=drafts.bundles_of(codes),
    )
