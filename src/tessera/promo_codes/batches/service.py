"""Batches of promo codes: ordered at once, made part by part, cancelled and resumed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit import jobs
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, WrongState
from tessera.kit.identifiers import new_id
from tessera.promo_codes import drafts
from tessera.promo_codes import rules as promo_codes
from tessera.promo_codes.batches import rules
from tessera.promo_codes.batches.codes import random_names
from tessera.promo_codes.batches.repository import BatchRepository, NewBatch
from tessera.promo_codes.batches.rules import BatchDraft, BatchStatus
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.rules import Status

KIND = "PromoCodeBatch"
MAKE_PROMO_CODES = "make_promo_codes"
MADE_AT_ONCE = 10_000
# Of the names of one round at most a few are taken; when so many rounds do not suffice, hardly any are free.
ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch: how many codes by which pattern, what they all give, and how far it is."""

    id: UUID
    status: BatchStatus
    quantity: int
    made: int
    prefix: str
    length: int
    alphabet: str
    code_status: Status
    discount_percent: int | None
    flat_discount: Decimal | None
    store_exam_codes: Sequence[str]
    product_bundle_ids: Sequence[UUID]
    expires_at: datetime | None
    max_redemptions: int | None
    max_redemptions_per_candidate: int | None
    notes: str | None
    created_at: datetime
    version: int

    @property
    def is_active(self) -> bool:
        """Whether its codes can be used at once."""
        return self.code_status == Status.ACTIVE

    @property
    def percent(self) -> int:
        """How much of it is done; 100 only when all is."""
        return 100 * self.made // self.quantity


class BatchNotFound(NotFound):
    """There is no batch of this id."""


async def create(work: UnitOfWork, *, draft: BatchDraft, now: datetime) -> Batch:
    """Order codes, and queue their making in the same transaction; raises Invalid with every violation."""
    named = await drafts.find_named_by(work, draft.codes)
    violations = [*promo_codes.managed_violations(draft.codes, now=now), *rules.violations(draft)]
    violations += drafts.unknown(draft.codes, named)
    batches = BatchRepository(work)
    if draft.pattern.length is not None and draft.quantity is not None and not violations:
        taken = await batches.count_taken(draft.pattern)
        violations += rules.space_violations(draft.pattern, quantity=draft.quantity, taken=taken)
    if violations:
        raise Invalid(violations)
    batch = _new_batch(draft, named)
    await batches.add(batch, now=now)
    await queue(work, batch.id)
    created = await get(work, batch.id)
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=batch.id, after=asdict(created)), now=now)
    return created


async def get(work: UnitOfWork, batch_id: UUID) -> Batch:
    """One batch, as far as it is; raises BatchNotFound."""
    return _batch(await BatchRepository(work).find(batch_id))


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[Batch]:
    """A part of the batches, oldest first; raises Invalid for a cursor of another list."""
    part = await BatchRepository(work).list_by_cursor(after=after, size=size)
    return CursorPage([_batch(row) for row in part.items], part.cursor)


async def cancel(work: UnitOfWork, target: Target, *, now: datetime) -> Batch:
    """Make no more codes of a batch; those that are there stay. Raises BatchNotFound, VersionStale, WrongState."""
    batch = await _lock(work, target)
    if batch.status != BatchStatus.IN_PROGRESS:
        raise WrongState("batch", batch.status)
    return await _move(work, batch, BatchStatus.CANCELLED, "Cancelled", now=now)


async def resume(work: UnitOfWork, target: Target, *, now: datetime) -> Batch:
    """Go on with a batch that was cancelled or exhausted; raises BatchNotFound, VersionStale, WrongState."""
    batch = await _lock(work, target)
    if batch.status not in (BatchStatus.CANCELLED, BatchStatus.EXHAUSTED):
        raise WrongState("batch", batch.status)
    await queue(work, batch.id)
    return await _move(work, batch, BatchStatus.IN_PROGRESS, "Resumed", now=now)


async def queue(work: UnitOfWork, batch_id: UUID) -> None:
    """Have the next codes of a batch made, once this transaction is committed."""
    await jobs.defer(work, MAKE_PROMO_CODES, {"organization_id": str(work.organization_id), "batch_id": str(batch_id)})


async def make_some(work: UnitOfWork, batch_id: UUID, *, now: datetime) -> Batch:
    """Make the next codes of a batch in progress, 10,000 at most, and note how far it is; raises BatchNotFound.

    Codes and note are one transaction under the lock of the batch: whatever is killed, and however many work at it, in
    the end there are exactly as many codes as were ordered.
    """
    batches = BatchRepository(work)
    batch = _batch(await batches.lock(batch_id))
    if batch.status != BatchStatus.IN_PROGRESS:
        return batch
    wanted = min(MADE_AT_ONCE, batch.quantity - batch.made)
    made = await _make(batches, batch, wanted, now=now)
    after = replace(batch, made=batch.made + made)
    if after.made == after.quantity:
        return await _move(work, after, BatchStatus.COMPLETE, "Completed", now=now)
    if made < wanted:
        return await _move(work, after, BatchStatus.EXHAUSTED, "Exhausted", now=now)
    await batches.move(batch.id, status=batch.status, made=after.made)
    return replace(after, version=batch.version + 1)


async def _lock(work: UnitOfWork, target: Target) -> Batch:
    batch = _batch(await BatchRepository(work).lock(target.id))
    target.ensure(batch.version)
    return batch


async def _make(batches: BatchRepository, batch: Batch, count: int, *, now: datetime) -> int:
    missing = count
    for _ in range(ROUNDS):
        if missing:
            names = random_names(missing, prefix=batch.prefix, length=batch.length, alphabet=batch.alphabet)
            missing -= await batches.add_codes(batch.id, names, now=now)
    return count - missing


async def _move(work: UnitOfWork, batch: Batch, status: BatchStatus, action: str, *, now: datetime) -> Batch:
    after = replace(batch, status=status, version=batch.version + 1)
    await BatchRepository(work).move(batch.id, status=status, made=batch.made)
    states = [{"status": each.status, "made": each.made, "version": each.version} for each in (batch, after)]
    change = Change(action=action, kind=KIND, id=batch.id, before=states[0], after=states[1])
    await audit.record(work, change, now=now)
    return after


def _new_batch(draft: BatchDraft, named: ResolvedReferences) -> NewBatch:
    codes = draft.codes
    return NewBatch(
        id=new_id(),
        prefix=draft.pattern.prefix or "",
        length=draft.pattern.length or 0,
        alphabet=draft.pattern.alphabet or "",
        quantity=draft.quantity or 0,
        code_status=Status.ACTIVE if codes.is_active else Status.INACTIVE,
        discount_percent=codes.discount_percent,
        flat_discount=codes.flat_discount,
        expires_at=codes.expires_at,
        max_redemptions=codes.max_redemptions,
        max_redemptions_per_candidate=codes.max_redemptions_per_candidate,
        notes=codes.notes,
        store_exam_ids=tuple(exam_id for exam_id, _ in drafts.exams_of(codes, named)),
        product_bundle_ids=drafts.bundles_of(codes),
    )


_FIELDS = tuple(Batch.__dataclass_fields__)


def _batch(row: AnyRow | None) -> Batch:
    if row is None:
        raise BatchNotFound("There is no such batch.")
    return Batch(**{name: getattr(row, name) for name in _FIELDS})
