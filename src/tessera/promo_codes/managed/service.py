"""Promo codes of every kind for those who run an organization: their whole life, from creation to the archive."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit import versions
from tessera.kit.database import AnyRow, Database, UnitOfWork
from tessera.kit.errors import Invalid, Violation, WrongState
from tessera.kit.pagination import Slice
from tessera.promo_codes import drafts, rules
from tessera.promo_codes.managed.repository import ManagedFilter, ManagedPromoCodeRepository
from tessera.promo_codes.repository import NewPromoCode, PromoCodeRepository
from tessera.promo_codes.rules import PromoCodeDraft, Status, Uses
from tessera.promo_codes.service import PromoCodeNotFound

__all__ = ["ManagedFilter"]

KIND = "PromoCode"
EXPORTED_AT_ONCE = 2000


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


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to change: new values by field, None for what a code shall no longer have; `refused` as in a draft."""

    values: Mapping[str, Any]
    refused: tuple[Violation, ...] = field(default=())


async def create(work: UnitOfWork, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    """Create a promo code; raises Invalid with every violation, of the draft and of what it names."""
    promo_codes = PromoCodeRepository(work)
    named = await drafts.find_named_by(work, draft)
    violations = await _violations(draft, now=now)
    violations += drafts.unknown(draft, named)
    if draft.name is not None and await promo_codes.has_name(draft.name):
        violations.append(drafts.name_taken(draft.name))
    if violations:
        raise Invalid(violations)
    code = drafts.new_promo_code(draft, named)
    if not await promo_codes.add(code, now=now):
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


async def list_slice(
    work: UnitOfWork, *, wanted: ManagedFilter, after: str | None, size: int
) -> Slice[ManagedPromoCode]:
    """A part of the promo codes, oldest first; raises Invalid for a cursor of another list."""
    part = await ManagedPromoCodeRepository(work).list_slice(wanted, after=after, size=size)
    return Slice([_managed(row) for row in part.items], part.cursor)


async def count(work: UnitOfWork, *, wanted: ManagedFilter) -> int:
    """How many promo codes."""
    return await ManagedPromoCodeRepository(work).count(wanted)


async def export(
    database: Database, organization_id: UUID, *, wanted: ManagedFilter
) -> AsyncIterator[list[ManagedPromoCode]]:
    """All promo codes, oldest first, part by part.

    Each part is a unit of work of its own: a slow reader holds neither a connection nor old versions of rows, and what
    changes meanwhile is told as it is when its turn comes.
    """
    after: UUID | None = None
    while True:
        async with database.unit_of_work(organization_id) as work:
            rows = await ManagedPromoCodeRepository(work).list_after(wanted, after=after, size=EXPORTED_AT_ONCE)
        if rows:
            yield [_managed(row) for row in rows]
        if len(rows) < EXPORTED_AT_ONCE:
            return
        after = rows[-1].id


async def edit(
    work: UnitOfWork, promo_code_id: UUID, *, changes: Edit, version: int | None, now: datetime
) -> ManagedPromoCode:
    """Change a promo code of this version, or of whichever it has; never its name, nor whether it has a limit in total.

    Raises PromoCodeNotFound, VersionStale, WrongState for an archived one, and Invalid with every violation.
    """
    before = await get(work, promo_code_id)
    versions.ensure(version, found=before.version)
    draft = replace(_draft_of(before), **changes.values, refused=changes.refused)
    named = await drafts.find_named_by(work, draft)
    # An expiry that stays may have passed.
    asked = replace(draft, expires_at=None) if draft.expires_at == before.expires_at else draft
    violations = await _violations(asked, now=now)
    locked = await _lock(work, promo_code_id, version=before.version)
    if locked.status == Status.ARCHIVED:
        raise WrongState("promo code", locked.status)
    uses = Uses(limit=locked.max_redemptions, taken=locked.redemption_count)
    violations += [*drafts.unknown(draft, named), *rules.edit_violations(draft, uses=uses)]
    if violations:
        raise Invalid(violations)
    await _change(work, promo_code_id, replace(drafts.new_promo_code(draft, named), id=promo_code_id))
    return await _recorded(work, Action.UPDATED, before, now=now)


async def activate(work: UnitOfWork, promo_code_id: UUID, *, version: int | None, now: datetime) -> ManagedPromoCode:
    """Make an inactive code usable; raises PromoCodeNotFound, VersionStale, WrongState."""
    return await _move(work, promo_code_id, Status.ACTIVE, version=version, now=now)


async def deactivate(work: UnitOfWork, promo_code_id: UUID, *, version: int | None, now: datetime) -> ManagedPromoCode:
    """Make an active code unusable, until it is activated again; raises as `activate` does."""
    return await _move(work, promo_code_id, Status.INACTIVE, version=version, now=now)


async def archive(work: UnitOfWork, promo_code_id: UUID, *, version: int | None, now: datetime) -> ManagedPromoCode:
    """Put a code away for ever; its name stays taken. Raises as `activate` does."""
    return await _move(work, promo_code_id, Status.ARCHIVED, version=version, now=now)


_MOVES = {
    Status.ACTIVE: (Action.ACTIVATED, {Status.INACTIVE}),
    Status.INACTIVE: (Action.DEACTIVATED, {Status.ACTIVE}),
    Status.ARCHIVED: (Action.ARCHIVED, {Status.INACTIVE, Status.ACTIVE}),
}


async def _move(
    work: UnitOfWork, promo_code_id: UUID, status: Status, *, version: int | None, now: datetime
) -> ManagedPromoCode:
    action, origins = _MOVES[status]
    locked = await _lock(work, promo_code_id, version=version)
    if locked.status not in origins:
        raise WrongState("promo code", locked.status)
    before = await get(work, promo_code_id)
    await ManagedPromoCodeRepository(work).change(promo_code_id, {"status": status})
    return await _recorded(work, action, before, now=now)


async def _lock(work: UnitOfWork, promo_code_id: UUID, *, version: int | None) -> AnyRow:
    locked = await ManagedPromoCodeRepository(work).lock(promo_code_id)
    if locked is None:
        raise _not_found()
    versions.ensure(version, found=locked.version)
    return locked


async def _change(work: UnitOfWork, promo_code_id: UUID, code: NewPromoCode) -> None:
    managed = ManagedPromoCodeRepository(work)
    kept = {"id", "name", "status", "redemption_count", "store_exam_ids", "product_bundle_ids", "email_addresses"}
    values = {name: value for name, value in asdict(code).items() if name not in kept}
    values |= {
        "has_store_exams": bool(code.store_exam_ids),
        "has_product_bundles": bool(code.product_bundle_ids),
    }
    await managed.change(promo_code_id, values)
    await managed.remove_restrictions(promo_code_id)
    await PromoCodeRepository(work).add_restrictions([code])


async def _recorded(work: UnitOfWork, action: Action, before: ManagedPromoCode, *, now: datetime) -> ManagedPromoCode:
    after = await get(work, before.id)
    change = Change(action=action, kind=KIND, id=before.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after


async def _violations(draft: PromoCodeDraft, *, now: datetime) -> list[Violation]:
    # Thousands of addresses take seconds to check, which other requests must not wait for.
    return await asyncio.to_thread(lambda: list(rules.managed_violations(draft, now=now)))


def _draft_of(code: ManagedPromoCode) -> PromoCodeDraft:
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


_FIELDS = tuple(ManagedPromoCode.__dataclass_fields__)


def _managed(row: AnyRow) -> ManagedPromoCode:
    return ManagedPromoCode(**{name: getattr(row, name) for name in _FIELDS if name in row._fields})


def _not_found() -> PromoCodeNotFound:
    return PromoCodeNotFound("There is no such promo code.")
