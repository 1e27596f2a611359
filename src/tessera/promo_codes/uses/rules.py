"""The documented rules of the use of promo codes: which codes are usable, and how many uses are left."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tessera.codes.rules import Reason
from tessera.kit.errors import Violation
from tessera.promo_codes.rules import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Usability:
    """The properties that decide whether a promo code is usable.

    Holds count as uses. `next_hold_ends_at` is the time when the first hold on a used-up code ends. `candidate_uses`
    and `candidate_hold_ends_at` concern the uses of one candidate, and are None if the request has no candidate;
    `organization_uses` and `organization_hold_ends_at` concern those of a global code by one organization.
    """

    status: str
    starts_at: datetime | None = None
    expires_at: datetime | None
    max_redemptions: int | None
    redemption_count: int
    held_count: int
    covers_product: bool
    max_redemptions_per_candidate: int | None = None
    next_hold_ends_at: datetime | None = None
    candidate_uses: int | None = None
    candidate_hold_ends_at: datetime | None = None
    max_redemptions_per_organization: int | None = None
    organization_uses: int = 0
    organization_hold_ends_at: datetime | None = None
    restrict_to_email_addresses: bool = False
    # Whether the restriction lists the candidate's address; None if the request has no candidate.
    lists_candidate: bool | None = None
    candidate_has_email: bool = True


def remaining(code: Usability) -> int | None:
    """The number of uses that are left to the organization, and to the candidate if any; None without a limit."""
    remaining_uses = [
        limit - used
        for limit, used in (
            (code.max_redemptions, code.redemption_count + code.held_count),
            (code.max_redemptions_per_candidate, code.candidate_uses),
            (code.max_redemptions_per_organization, code.organization_uses),
        )
        if limit is not None and used is not None
    ]
    return max(min(remaining_uses), 0) if remaining_uses else None


def unusable(code: Usability, *, now: datetime) -> Iterator[Violation]:
    """Every reason why a promo code is not usable at `now`."""
    if code.status != Status.ACTIVE:
        yield Reason(code.status, "code", f"is {code.status.lower()}")
    if code.starts_at is not None and now < code.starts_at:
        yield Reason("NotStarted", "code", "has not started yet", valid_from=code.starts_at)
    if code.expires_at is not None and now >= code.expires_at:
        yield Reason("Expired", "code", "has expired")
    if code.max_redemptions is not None and code.redemption_count + code.held_count >= code.max_redemptions:
        yield Reason("UsedUp", "code", "is used up", remaining=0, valid_from=code.next_hold_ends_at)
    share = code.max_redemptions_per_organization
    if share is not None and code.organization_uses >= share:
        message = "is used up for this organization"
        yield Reason("UsedUpForOrganization", "code", message, remaining=0, valid_from=code.organization_hold_ends_at)
    if not code.covers_product:
        yield Reason("NotCovered", "code", "does not apply to this product")
    yield from _unusable_for_candidate(code)


def _unusable_for_candidate(code: Usability) -> Iterator[Violation]:
    limit = code.max_redemptions_per_candidate
    if limit is not None and code.candidate_uses is not None and code.candidate_uses >= limit:
        message = "is used up for this candidate"
        yield Reason("UsedUpForCandidate", "code", message, remaining=0, valid_from=code.candidate_hold_ends_at)
    if code.restrict_to_email_addresses and code.lists_candidate is False:
        if code.candidate_has_email:
            yield Reason("EmailNotListed", "code", "is restricted to other e-mail addresses")
        else:
            yield Reason("EmailRequired", "code", "is restricted to e-mail addresses, and the candidate has none")
