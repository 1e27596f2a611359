"""Creation and lists of the promo codes that the documented API can express."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import JsonPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, TooManyResults, Violation
from tessera.kit.normalization import key_of
from tessera.promo_codes import drafts, rules
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.lists.repository import ListedPromoCode, PromoCodeFilter, PromoCodeListRepository
from tessera.promo_codes.repository import (
    NewPromoCode,
    PromoCodeRepository,
)
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.texts import service as texts

__all__ = ["ListedPromoCode", "NewPromoCode", "PromoCodeFilter"]

# Checking this many addresses takes less time than starting a thread.
FEW_ADDRESSES = 20


async def create_all(
    work: UnitOfWork, requests: Sequence[PromoCodeDraft], *, now: datetime
) -> list[ListedPromoCode | Invalid]:
    """Create promo codes; the drafts do not affect one another, and the results are in their order.

    The result for a draft with violations is Invalid, whose violations include unknown exams and a taken name.
    """
    references = await drafts.resolve_references(work, *requests)
    invalid: dict[int, list[Violation]] = {}
    codes: dict[int, NewPromoCode] = {}
    for position, draft in enumerate(requests):
        violations = [*await _violations(draft, now=now), *drafts.unknown_references(draft, references)]
        if violations:
            invalid[position] = violations
        else:
            codes[position] = drafts.new_promo_code(draft, references)
    # Only for drafts with other violations, because the insert below reports the taken names of the others.
    names = {
        position: name
        for position, violations in invalid.items()
        if (name := drafts.valid_name(requests[position], violations)) is not None
    }
    taken = await drafts.find_taken_names(work, names.values()) if names else {}
    for position, name in names.items():
        invalid[position] += [taken[key_of(name)]] if key_of(name) in taken else []
    if codes:
        await texts.lock_to_add_promo_codes(work)
    rejected = await add_untaken(work, list(codes.values()), now=now)
    invalid |= {position: [rejected[code.id]] for position, code in codes.items() if code.id in rejected}
    created = {position: code for position, code in codes.items() if position not in invalid}
    changes = [
        Change(action=Action.CREATED, kind="PromoCode", id=code.id, after=row_of(code)) for code in created.values()
    ]
    await audit.record_all(work, changes, now=now)
    return [
        _listed(created[position], draft, references) if position in created else Invalid(invalid[position])
        for position, draft in enumerate(requests)
    ]


def _listed(code: NewPromoCode, draft: PromoCodeDraft, references: ResolvedReferences) -> ListedPromoCode:
    fields = {field: getattr(code, field) for field in ListedPromoCode._fields if hasattr(code, field)}
    return ListedPromoCode(**fields, store_exam_codes=[spelling for _, spelling in drafts.exams_of(draft, references)])


async def list_pages(
    work: UnitOfWork, requests: Sequence[tuple[PromoCodeFilter, int]], *, projection: JsonProjection
) -> list[JsonPage | TooManyResults]:
    """Numbered pages of the organization's listed promo codes, as a projection of `ListedPromoCode`."""
    return await PromoCodeListRepository(work).list_pages(requests, projection=projection)


async def add_all(work: UnitOfWork, codes: Sequence[NewPromoCode], *, now: datetime) -> None:
    """Add promo codes of every kind without checking rules; raises Invalid for a taken name."""
    await texts.lock_to_add_promo_codes(work)
    if rejected := await add_untaken(work, codes, now=now):
        raise Invalid(list(rejected.values()))


async def add_untaken(work: UnitOfWork, codes: Sequence[NewPromoCode], *, now: datetime) -> dict[UUID, Violation]:
    """Add promo codes; returns a violation for each of those that are rejected because their name is taken.

    Vouchers that others have not committed are not seen, unless `texts` are locked.
    """
    rejected_ids = await PromoCodeRepository(work).add(codes, now=now)
    rejected = [code for code in codes if code.id in rejected_ids]
    taken = await drafts.find_taken_names(work, [code.name for code in rejected]) if rejected else {}
    return {code.id: taken[key_of(code.name)] for code in rejected}


async def _violations(draft: PromoCodeDraft, *, now: datetime) -> list[Violation]:
    if len(draft.email_addresses or ()) <= FEW_ADDRESSES:
        return list(rules.violations(draft, now=now))
    # Checking thousands of addresses takes seconds, during which other requests must not wait.
    return await asyncio.to_thread(lambda: list(rules.violations(draft, now=now)))
