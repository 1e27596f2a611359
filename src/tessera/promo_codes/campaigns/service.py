"""Campaigns: actions on all promo codes of one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import folded, stored_name
from tessera.promo_codes.campaigns.repository import CampaignRepository

KIND = "PromoCodeCampaign"
# A statement on this many codes takes well below a second.
CODES_PER_STATEMENT = 5_000
# Redemptions of these codes wait until the transaction ends, about 2 seconds for the largest number.
MAX_CODES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivatedCampaign:
    """The number of codes that were deactivated; with `has_more`, more of them may be active."""

    campaign: str
    promo_codes: int
    has_more: bool


async def deactivate(work: UnitOfWork, campaign: str, *, now: datetime) -> DeactivatedCampaign:
    """Deactivate the active codes of a campaign, at most 20,000; the audit log has one entry for all of them.

    A repetition deactivates the remaining codes, or nothing. Raises Invalid without a campaign.
    """
    name = stored_name(campaign)
    if not name:
        raise Invalid([Violation("Required", "campaign", "must not be empty")])
    promo_codes, count, last = CampaignRepository(work), 0, UUID(int=0)
    while count < MAX_CODES:
        ids = await promo_codes.deactivate_next(folded(name), after=last, size=CODES_PER_STATEMENT)
        count += len(ids)
        if len(ids) < CODES_PER_STATEMENT:
            break
        last = ids[-1]
    result = DeactivatedCampaign(campaign=name, promo_codes=count, has_more=count >= MAX_CODES)
    if count:
        after = {"campaign": name, "promo_codes": count}
        change = Change(action=Action.DEACTIVATED, kind=KIND, id=new_id(), after=after)
        await audit.record(work, change, now=now)
    return result
