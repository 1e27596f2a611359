"""Batches of redemption requests, some of which can be malformed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, TooManyRequests
from tessera.redemptions import lifecycle, redeem, validate
from tessera.redemptions.drafts import RedemptionDraft
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.redeem import NotRedeemable
from tessera.redemptions.validate import MalformedRequest

RETRY_SECONDS = 30


def is_miss(error: DomainError) -> bool:
    """Whether a redemption failed because the code does not exist."""
    return isinstance(error, NotRedeemable) and validate.NOT_FOUND in error.violations


async def redeem_or_reject(
    work: UnitOfWork, requests: Sequence[RedemptionDraft | MalformedRequest], *, now: datetime
) -> list[Redemption | DomainError]:
    """Redeem the codes of valid requests as separate calls would; the result of a malformed request is its error.

    The result of a hold beyond the limit of the organization is TooManyRequests.
    """
    malformed = {position: each for position, each in enumerate(requests) if isinstance(each, MalformedRequest)}
    drafts = {position: each for position, each in enumerate(requests) if isinstance(each, RedemptionDraft)}
    results: dict[int, Redemption | DomainError] = {}
    if malformed:
        results |= zip(malformed, await validate.reject_all(work, list(malformed.values())), strict=True)
    for position in await _holds_beyond_limit(work, drafts, now=now):
        results[position] = _too_many_holds(drafts.pop(position))
    if drafts:
        results |= zip(drafts, await redeem.redeem_all(work, list(drafts.values()), now=now), strict=True)
    return [results[position] for position in range(len(requests))]


async def _holds_beyond_limit(work: UnitOfWork, drafts: Mapping[int, RedemptionDraft], *, now: datetime) -> list[int]:
    holds = [position for position, draft in drafts.items() if draft.hold is not None and draft.max_holds is not None]
    if not holds:
        return []
    max_holds = drafts[holds[0]].max_holds or 0
    return holds[max(0, max_holds - await lifecycle.count_holds(work, limit=max_holds, now=now)) :]


def _too_many_holds(draft: RedemptionDraft) -> TooManyRequests:
    message = f"Your organization has {draft.max_holds:,} holds. Confirm or release some, or wait until some expire."
    return TooManyRequests(message, limit="holds", retry_after=RETRY_SECONDS)
