"""Requests to redeem, of which some break rules by themselves."""

from collections.abc import Sequence
from datetime import datetime

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError
from tessera.redemptions import redeem, validate
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.redeem import RedemptionDraft
from tessera.redemptions.validate import Refused


async def redeem_or_refuse(
    work: UnitOfWork, requests: Sequence[RedemptionDraft | Refused], *, now: datetime
) -> list[Redemption | DomainError]:
    """Redeem what can be redeemed, each as if it came by itself; the result of any other request is its error."""
    refused = [request for request in requests if isinstance(request, Refused)]
    drafts = [request for request in requests if isinstance(request, RedemptionDraft)]
    errors = iter(await validate.refuse_all(work, refused) if refused else ())
    redemptions = iter(await redeem.redeem_all(work, drafts, now=now) if drafts else ())
    return [next(errors) if isinstance(request, Refused) else next(redemptions) for request in requests]
