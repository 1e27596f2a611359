"""Batches of redemption requests, some of which can be malformed."""

from collections.abc import Sequence
from datetime import datetime

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError
from tessera.redemptions import redeem, validate
from tessera.redemptions.drafts import RedemptionDraft
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.validate import MalformedRequest


async def redeem_or_reject(
    work: UnitOfWork, requests: Sequence[RedemptionDraft | MalformedRequest], *, now: datetime
) -> list[Redemption | DomainError]:
    """Redeem the codes of valid requests as separate calls would; the result of a malformed request is its error."""
    malformed = [request for request in requests if isinstance(request, MalformedRequest)]
    drafts = [request for request in requests if isinstance(request, RedemptionDraft)]
    errors = iter(await validate.reject_all(work, malformed) if malformed else ())
    redemptions = iter(await redeem.redeem_all(work, drafts, now=now) if drafts else ())
    return [next(errors) if isinstance(request, MalformedRequest) else next(redemptions) for request in requests]
