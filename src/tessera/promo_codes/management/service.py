"""Promo codes of every kind for those who run an organization: their whole life, from creation to the archive."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation, WrongState
from tessera.promo_codes import drafts, rules
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.management.repository import ManagedFilter, ManagedPromoCodeRepository
from tessera.promo_codes.repository import NewPromoCode, PromoCodeRepository
from tessera.promo_codes.rules import PromoCodeDraft, Status, Uses
from tessera.promo_codes.service import PromoCodeNotFound
from tessera.promo_codes.uses import repository as usability

__all__ = ["ManagedFilter"]

KIND = "PromoCode"
EXPORTED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPromoCode:
    """A promo code of any kind; `email_addresses` is None in lists, where thousands of them would not fit."""

    id: UUID
    name: str
    status: Status
    discount_percent: int | None
    flat_discount: Decimal | None
    store_exam_codes: Sequence[str]
    product_bundle_ids: Sequence[UUID]
    restrict_to_email_addresses: bool
    email_addresses: Sequence[str] | None = None
    expires_at: datetime | None
    max_redemptions: int | None
    max_redemptions_per_candidate: int | None
    redemption_count: int
    notes: str | None
    batch_id: UUID | None
    created_at: datetime
    version: int


async def create(work: UnitOfWork, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    """Create a promo code; raises Invalid with every violation, of the draft and of what it names."""
    promo_codes = PromoCodeRepository(work)
    named = await drafts.find_named_by(work, draft)
    violations = await _violations(draft, now=now)
    violations += drafts.unknown(draft, named)
    if draft.name is not None and await promo_codes.find_taken([draft.name]):
        violations.append(drafts.name_taken(draft.name))
    if violations:
        raise Invalid(violations)
    code = drafts.new_promo_code(draft, named)
    if await promo_codes.add([code], now=now):
        raise Invalid([drafts.name_taken(code.name)])
    created = await get(work, code.id)
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=code.id, after=asdict(created)), now=now)
    return created


async def get(work: UnitOfWork, promo_code_id: UUID) -> ManagedPromoCode:
    """One promo code; raises PromoCodeNotFound."""
    row = await ManagedPromoCodeRepository(work).find(promo_code_id)
    if row is None:
        raise _not_found()
    return _managed(row)


async def get_by_name(work: UnitOfWork, name_or_id: str) -> ManagedPromoCode:
    """The promo code with this name, in any case, or this id; raises PromoCodeNotFound."""
    try:
        promo_code_id = UUID(name_or_id)
    except ValueError:
        rows = await ManagedPromoCodeRepository(work).list_after(ManagedFilter(name=name_or_id), after=None, size=1)
        if not rows:
            raise _not_found() from None
        return _managed(rows[0])
    return await get(work, promo_code_id)


def as_draft(code: ManagedPromoCode) -> PromoCodeDraft:
    """The draft that would change nothing."""
    return PromoCodeDraft(
        name=code.name,
        store_exam_codes=tuple(code.store_exam_codes),
        product_bundle_ids=tuple(code.product_bundle_ids),
        discount_percent=code.discount_percent,
        flat_discount=code.flat_discount,
        expires_at=code.expires_at,
        max_redemptions=code.max_redemptions,
        max_redemptions_per_candidate=code.max_redemptions_per_candidate,
        email_addresses=tuple(code.email_addresses or ()),
        restrict_to_email_addresses=code.restrict_to_email_addresses,
        notes=code.notes,
    )


async def list_by_cursor(
    work: UnitOfWork, *, wanted: ManagedFilter, after: str | None, size: int
) -> CursorPage[ManagedPromoCode]:
    """A part of the promo codes, oldest first; raises Invalid for a cursor of another list."""
    part = await ManagedPromoCodeRepository(work).list_by_cursor(wanted, after=after, size=size)
    return CursorPage([_managed(row) for row in part.items], part.cursor)


async def count(work: UnitOfWork, *, wanted: ManagedFilter) -> int:
    """How many promo codes."""
    return await ManagedPromoCodeRepository(work).count(wanted)


async def list_after(work: UnitOfWork, *, wanted: ManagedFilter, after: UUID | None) -> list[ManagedPromoCode]:
    """The next 1,000 promo codes behind this id with all their addresses, oldest first."""
    rows = await ManagedPromoCodeRepository(work).list_after(wanted, after=after, size=EXPORTED_AT_ONCE)
    return [_managed(row) for row in rows]


async def update(work: UnitOfWork, target: Target, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    """Give a promo code everything of the draft but its name and status.

    Raises PromoCodeNotFound, VersionStale, WrongState for an archived one, and Invalid with every violation.
    """
    before = await get(work, target.id)
    target.ensure(before.version)
    named = await _find_named(work, draft, before)
    # An expiry that stays may have passed.
    asked = replace(draft, expires_at=None) if draft.expires_at == before.expires_at else draft
    violations = [*await _violations(asked, now=now), *drafts.unknown(draft, named)]
    # What takes time is done: the row is locked now, and is still what was read. Holds that have run out take no use.
    await usability.lock(work, ids=[target.id], as_of=now)
    locked = await _lock(work, Target(target.id, before.version))
    if locked.status == Status.ARCHIVED:
        raise WrongState("promo code", locked.status)
    uses = Uses(limit=locked.max_redemptions, taken=locked.redemption_count + locked.held_count)
    violations += rules.edit_violations(draft, uses=uses)
    if violations:
        raise Invalid(violations)
    await _change(work, replace(drafts.new_promo_code(draft, named), id=target.id))
    return await _recorded(work, Action.UPDATED, before, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Make an inactive code usable; raises PromoCodeNotFound, VersionStale, WrongState."""
    return await _move(work, target, Status.ACTIVE, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Make an active code unusable, until it is activated again; raises as `activate` does."""
    return await _move(work, target, Status.INACTIVE, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Put a code away for ever; its name stays taken. Raises as `activate` does."""
    return await _move(work, target, Status.ARCHIVED, now=now)


_MOVES = {
    Status.ACTIVE: (Action.ACTIVATED, {Status.INACTIVE}),
    Status.INACTIVE: (Action.DEACTIVATED, {Status.ACTIVE}),
    Status.ARCHIVED: (Action.ARCHIVED, {Status.INACTIVE, Status.ACTIVE}),
}


async def _move(work: UnitOfWork, target: Target, status: Status, *, now: datetime) -> ManagedPromoCode:
    action, origins = _MOVES[status]
    locked = await _lock(work, target)
    if locked.status not in origins:
        raise WrongState("promo code", locked.status)
    before = await get(work, target.id)
    await ManagedPromoCodeRepository(work).change(target.id, {"status": status})
    return await _recorded(work, action, before, now=now)


async def _lock(work: UnitOfWork, target: Target) -> AnyRow:
    locked = await ManagedPromoCodeRepository(work).lock(target.id)
    if locked is None:
        raise _not_found()
    target.ensure(locked.version)
    return locked


async def _find_named(work: UnitOfWork, draft: PromoCodeDraft, before: ManagedPromoCode) -> ResolvedReferences:
    # What a code names already it may go on naming, sold or not.
    kept = await ManagedPromoCodeRepository(work).list_exams(before.id)
    found = await drafts.find_named_by(work, draft)
    return ResolvedReferences({**kept, **found.exams}, {*before.product_bundle_ids, *found.bundle_ids})


async def _change(work: UnitOfWork, code: NewPromoCode) -> None:
    managed = ManagedPromoCodeRepository(work)
    values = {name: value for name, value in asdict(code).items() if name in _CHANGED}
    values |= {
        "has_store_exams": bool(code.store_exam_ids),
        "has_product_bundles": bool(code.product_bundle_ids),
    }
    await managed.change(code.id, values)
    await managed.remove_restrictions(code.id)
    await PromoCodeRepository(work).add_restrictions([code])


async def _recorded(work: UnitOfWork, action: Action, before: ManagedPromoCode, *, now: datetime) -> ManagedPromoCode:
    after = await get(work, before.id)
    change = Change(action=action, kind=KIND, id=before.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after


async def _violations(draft: PromoCodeDraft, *, now: datetime) -> list[Violation]:
    # Thousands of addresses take seconds to check, which other requests must not wait for.
    return await asyncio.to_thread(lambda: list(rules.managed_violations(draft, now=now)))


_CHANGED = {
    "discount_percent",
    "flat_discount",
    "expires_at",
    "max_redemptions",
    "max_redemptions_per_candidate",
    "restrict_to_email_addresses",
    "notes",
}
_FIELDS = tuple(ManagedPromoCode.__dataclass_fields__)


def _managed(row: AnyRow) -> ManagedPromoCode:
    values: dict[str, Any] = {name: getattr(row, name, None) for name in _FIELDS}
    return ManagedPromoCode(**values)


def _not_found() -> PromoCodeNotFound:
    return PromoCodeNotFound("There is no such promo code.")
