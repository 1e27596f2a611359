"""Management of promo codes of every kind: creation, edits, status moves and lists."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, TransactionAborted, Violation, WrongState
from tessera.kit.normalization import key_of
from tessera.promo_codes import drafts, rules, service
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.management.lists.repository import ManagedPromoCodeListRepository
from tessera.promo_codes.management.records import ManagedFilter, ManagedPromoCode
from tessera.promo_codes.management.repository import ManagedPromoCodeRepository
from tessera.promo_codes.repository import PromoCodeRepository
from tessera.promo_codes.rules import PromoCodeDraft, Status, terms_of
from tessera.promo_codes.shares.repository import ShareRepository
from tessera.promo_codes.uses import service as uses
from tessera.record_metadata.repository import MetadataRepository
from tessera.record_metadata.rules import Kind

__all__ = ["ManagedFilter", "ManagedPromoCode"]

# No other request is executed while the rows of a page become records.
EXPORT_PAGE_SIZE = 250
MAX_EDIT_ROUNDS = 5  # each further round needs another edit at the same moment
_CODES: Editable[ManagedPromoCode] = Editable(kind="PromoCode", noun="promo code", moves=rules.MOVES)


class _Overtaken(Exception):
    """Another edit has changed the code between the checks of an edit and its locks."""


async def create(work: UnitOfWork, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    """Create a promo code; raises Invalid with every violation of the draft and of its references."""
    draft = rules.with_share(draft, owner_id=work.organization_id)
    references = await drafts.resolve_references(work, draft)
    violations = await _violations(work, draft, now=now)
    violations += drafts.unknown_references(draft, references)
    if (name := drafts.valid_name(draft, violations)) is not None:
        violations += (await drafts.find_taken_names(work, [name])).values()
    if violations:
        raise Invalid(violations)
    code = drafts.new_promo_code(draft, references)
    await service.add_all(work, [code], now=now)
    created = await get(work, code.id)
    await _CODES.record_created(work, created, now=now)
    return created


async def get(work: UnitOfWork, promo_code_id: UUID) -> ManagedPromoCode:
    """The promo code with this id; raises NotFound."""
    return _CODES.require(await ManagedPromoCodeRepository(work).find(promo_code_id))


async def get_by_name(work: UnitOfWork, name_or_id: str) -> ManagedPromoCode:
    """The promo code with this name, ignoring case, or this id; raises NotFound."""
    try:
        promo_code_id = UUID(name_or_id)
    except ValueError:
        codes = await ManagedPromoCodeRepository(work).find_all([name_or_id])
        return _CODES.require(codes[0] if codes else None)
    return await get(work, promo_code_id)


def as_draft(code: ManagedPromoCode) -> PromoCodeDraft:
    """The draft that describes the current state of the promo code."""
    return PromoCodeDraft(
        name=code.name,
        **terms_of(code),
        store_exam_codes=tuple(code.store_exam_codes),
        product_bundle_ids=tuple(code.product_bundle_ids),
        email_addresses=tuple(code.email_addresses or ()),
        restrict_to_email_addresses=code.restrict_to_email_addresses,
        is_active=code.status == Status.ACTIVE,
        is_archived=code.status == Status.ARCHIVED,
    )


async def find_all(work: UnitOfWork, names: Collection[str]) -> dict[str, ManagedPromoCode]:
    """The promo codes with these names, including archived ones, by the key of the name."""
    codes = await ManagedPromoCodeRepository(work).find_all(names) if names else []
    return {key_of(code.name): code for code in codes}


async def count_addresses(work: UnitOfWork, names: Collection[str]) -> dict[str, int]:
    """The numbers of addresses of the promo codes with these names that have any, by the key of the name."""
    return await ManagedPromoCodeRepository(work).count_addresses(names) if names else {}


async def list_by_cursor(
    work: UnitOfWork,
    *,
    filters: ManagedFilter,
    search: str | None = None,
    newest: bool = False,
    after: str | None,
    size: int,
) -> CursorPage[ManagedPromoCode]:
    """A page of promo codes, oldest or newest first.

    With `search`, it has the codes whose names begin with this text, in the order of names unless `newest` is set.
    Raises Invalid for a cursor of another list, and TooManyResults if a search with filters or `newest` has more than
    10,000 matches.
    """
    promo_codes = ManagedPromoCodeListRepository(work)
    return await promo_codes.list_by_cursor(filters, search=search, newest=newest, after=after, size=size)


async def count(work: UnitOfWork, *, filters: ManagedFilter) -> int:
    """The number of promo codes that match."""
    return await ManagedPromoCodeListRepository(work).count(filters)


async def list_with_addresses(
    work: UnitOfWork, *, filters: ManagedFilter, after: str | None
) -> CursorPage[ManagedPromoCode]:
    """A page of up to EXPORT_PAGE_SIZE promo codes with all their addresses, oldest first."""
    promo_codes = ManagedPromoCodeListRepository(work)
    return await promo_codes.list_with_addresses(filters, after=after, size=EXPORT_PAGE_SIZE)


async def update(work: UnitOfWork, target: Target, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    """Replace all fields of a promo code, except for name and status, with those of the draft.

    Raises NotFound, VersionStale, WrongState for an archived code, and Invalid with every violation.
    """
    draft = rules.with_share(draft, owner_id=work.organization_id)
    if target.version is not None and not target.alternatives:
        return await _update(work, target, draft=draft, now=now)
    # Several versions may match, so an edit that another one overtakes starts again from the new version.
    for _ in range(MAX_EDIT_ROUNDS):
        with suppress(_Overtaken):
            async with work.savepoint():
                return await _update(work, target, draft=draft, now=now)
    raise TransactionAborted


async def _update(work: UnitOfWork, target: Target, *, draft: PromoCodeDraft, now: datetime) -> ManagedPromoCode:
    promo_codes = ManagedPromoCodeRepository(work)
    current = _CODES.require_current(await promo_codes.find(target.id), target)
    references = await _resolve_references(work, draft, current)
    violations = await _violations(work, draft, now=now, kept_expiry=current.expires_at)
    violations += drafts.unknown_references(draft, references)
    # The slow checks precede the locks.
    recounted = await _lock_uses(work, current, draft, now=now)
    before = await _CODES.lock(promo_codes, target)
    if before.version != current.version:
        raise _Overtaken
    if before.status == Status.ARCHIVED:
        raise WrongState("promo code", before.status)
    redeemed, held = recounted or await promo_codes.get_uses(target.id)
    violations += rules.edit_violations(draft, uses=redeemed + held)
    if violations:
        raise Invalid(violations)
    await _write(work, before, draft, references)
    await _write_counts(work, before, draft, redeemed=redeemed, held=held)
    after = await get(work, before.id)
    await _CODES.record(work, Action.UPDATED, before, after, now=now)
    return after


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Make an inactive code usable; raises NotFound, VersionStale, WrongState."""
    return await _CODES.move(work, ManagedPromoCodeRepository(work), target, Status.ACTIVE, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Make an active code unusable until it is activated again; raises NotFound, VersionStale, WrongState."""
    return await _CODES.move(work, ManagedPromoCodeRepository(work), target, Status.INACTIVE, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedPromoCode:
    """Archive a code permanently; its name stays taken. Raises NotFound, VersionStale, WrongState."""
    return await _CODES.move(work, ManagedPromoCodeRepository(work), target, Status.ARCHIVED, now=now)


async def _resolve_references(work: UnitOfWork, draft: PromoCodeDraft, code: ManagedPromoCode) -> ResolvedReferences:
    # A code can keep its exams and bundles even after they are archived.
    exams = await ManagedPromoCodeRepository(work).list_exams(code.id)
    references = await drafts.resolve_references(work, draft)
    return ResolvedReferences({**exams, **references.exams}, {*code.product_bundle_ids, *references.bundle_ids})


async def _write(
    work: UnitOfWork, before: ManagedPromoCode, draft: PromoCodeDraft, references: ResolvedReferences
) -> None:
    promo_codes = ManagedPromoCodeRepository(work)
    after = replace(
        before,
        **terms_of(draft),
        restrict_to_email_addresses=bool(draft.restrict_to_email_addresses),
        store_exam_codes=draft.store_exam_codes or (),
        product_bundle_ids=draft.product_bundle_ids or (),
        version=before.version + 1,
    )
    await promo_codes.change(after)
    if after.metadata != before.metadata:
        await MetadataRepository(work, Kind.PROMO_CODE).reindex(before.id, after.metadata)
    await promo_codes.remove_restrictions(before.id)
    code = replace(drafts.new_promo_code(draft, references), id=before.id)
    await PromoCodeRepository(work).add_restrictions([code])


async def _lock_uses(
    work: UnitOfWork, current: ManagedPromoCode, draft: PromoCodeDraft, *, now: datetime
) -> tuple[int, int] | None:
    """Lock a code against uses; returns the numbers of its redeemed and held uses if the draft adds a limit in total.

    Uses are counted only for limits in total and of organizations, so for a new limit they are recounted while nobody
    else uses the code. The locks end lapsed holds, which must not count as uses.
    """
    recounted = await uses.recount(work, current.id, as_of=now) if needs_recount(current, draft) else None
    await uses.lock(work, [current.id], as_of=now)
    return recounted if _adds_limit(current, draft) else None


def needs_recount(current: ManagedPromoCode, draft: PromoCodeDraft) -> bool:
    """Whether the draft adds a limit with a count of its own, in total or of each organization."""
    adds_shares = (
        draft.max_redemptions_per_organization is not None and current.max_redemptions_per_organization is None
    )
    return adds_shares or _adds_limit(current, draft)


def _adds_limit(current: ManagedPromoCode, draft: PromoCodeDraft) -> bool:
    return draft.max_redemptions is not None and current.max_redemptions is None


async def _write_counts(
    work: UnitOfWork, before: ManagedPromoCode, draft: PromoCodeDraft, *, redeemed: int, held: int
) -> None:
    """Add the counts of limits that the draft adds, and remove those of limits that it removes."""
    is_limited = draft.max_redemptions is not None
    if is_limited != (before.max_redemptions is not None):
        counts = {"redeemed": redeemed, "held": held} if is_limited else {"redeemed": 0, "held": 0}
        await ManagedPromoCodeRepository(work).change_uses(before.id, **counts)
    has_shares, shares = draft.max_redemptions_per_organization is not None, ShareRepository(work)
    if has_shares != (before.max_redemptions_per_organization is not None):
        await (shares.add_counts(before.id) if has_shares else shares.remove_counts(before.id))


async def _violations(
    work: UnitOfWork, draft: PromoCodeDraft, *, now: datetime, kept_expiry: datetime | None = None
) -> list[Violation]:
    check = partial(rules.managed_violations, draft, owner_id=work.organization_id, now=now, kept_expiry=kept_expiry)
    # Checking thousands of addresses takes seconds, during which other requests must not wait.
    return await asyncio.to_thread(lambda: list(check()))
