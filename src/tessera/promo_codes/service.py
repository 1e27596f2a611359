"""Creation and lists of the promo codes that the documented API can express."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

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
from tessera.promo_codes.repository import (
    ListedPromoCode,
    NewPromoCode,
    PromoCodeFilter,
    PromoCodeRepository,
)
from tessera.promo_codes.rules import PromoCodeDraft

__all__ = ["ListedPromoCode", "NewPromoCode", "PromoCodeFilter"]

FEW_ADDRESSES = 20  # that are checked sooner than handed to another thread


async def create_all(
    work: UnitOfWork, asked: Sequence[PromoCodeDraft], *, now: datetime
) -> list[ListedPromoCode | Invalid]:
    """Create promo codes, each as if it came alone.

    Where one cannot be created, its answer is Invalid with every violation, of the draft, of its exams and of its name.
    """
    promo_codes = PromoCodeRepository(work)
    named = await drafts.find_named_by(work, *asked)
    refused: dict[int, list[Violation]] = {}
    codes: dict[int, NewPromoCode] = {}
    for position, draft in enumerate(asked):
        violations = [*await _violations(draft, now=now), *drafts.unknown(draft, named)]
        if violations:
            refused[position] = violations
        else:
            codes[position] = drafts.new_promo_code(draft, named)
    # Where nothing else is wrong, the database itself refuses a name that is taken.
    names = {position: name for position in refused if (name := asked[position].name) is not None}
    taken = await promo_codes.find_taken(names.values()) if names else frozenset()
    for position, name in names.items():
        refused[position] += [drafts.name_taken(name)] if key_of(name) in taken else []
    lost = await promo_codes.add(codes.values(), now=now)
    refused |= {position: [drafts.name_taken(code.name)] for position, code in codes.items() if code.id in lost}
    created = {position: code for position, code in codes.items() if position not in refused}
    changes = [
        Change(action=Action.CREATED, kind="PromoCode", id=code.id, after=row_of(code)) for code in created.values()
    ]
    await audit.record_all(work, changes, now=now)
    return [
        _listed(created[position], draft, named) if position in created else Invalid(refused[position])
        for position, draft in enumerate(asked)
    ]


def _listed(code: NewPromoCode, draft: PromoCodeDraft, named: ResolvedReferences) -> ListedPromoCode:
    listed = {field: getattr(code, field) for field in ListedPromoCode._fields if hasattr(code, field)}
    return ListedPromoCode(**listed, store_exam_codes=[spelling for _, spelling in drafts.exams_of(draft, named)])


async def list_pages(
    work: UnitOfWork, asked: Sequence[tuple[PromoCodeFilter, int]], *, projection: JsonProjection
) -> list[JsonPage | TooManyResults]:
    """Pages, by number, of the organization's listed promo codes; a shape of `ListedPromoCode`."""
    return await PromoCodeRepository(work).list_pages(asked, projection=projection)


async def add_all(work: UnitOfWork, codes: Sequence[NewPromoCode], *, now: datetime) -> None:
    """Add promo codes of every kind, which the caller vouches for; raises Invalid where a name is taken."""
    taken = await PromoCodeRepository(work).add(codes, now=now)
    if taken:
        raise Invalid([drafts.name_taken(code.name) for code in codes if code.id in taken])


async def _violations(draft: PromoCodeDraft, *, now: datetime) -> list[Violation]:
    if len(draft.email_addresses or ()) <= FEW_ADDRESSES:
        return list(rules.violations(draft, now=now))
    # Thousands of addresses take seconds to check, which other requests must not wait for.
    return await asyncio.to_thread(lambda: list(rules.violations(draft, now=now)))
