"""Orders of vouchers that came at the same time from one caller, served together in one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime

from tessera.idempotency import service as idempotency
from tessera.idempotency.service import Answer, Requested
from tessera.identity import service as identity
from tessera.identity.rules import FunctionPoint
from tessera.identity.service import Credential
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Fact
from tessera.vouchers.purchases import ordering
from tessera.vouchers.purchases.rules import PurchaseDraft
from tessera.vouchers.purchases.service import Purchase


async def create_all(
    work: UnitOfWork,
    credential: Credential,
    requests: Sequence[Requested[PurchaseDraft]],
    *,
    now: datetime,
    present: Callable[[Purchase], tuple[int, bytes]],
) -> list[Answer]:
    """The answer to each request, as `present` puts it, or the fact to be told.

    Raises NotAuthenticated and LacksFunctionPoint, before anything else is told.
    """
    point = FunctionPoint.PARTNER_MANAGE_VOUCHERS
    work, principal = await identity.enter(work, credential=credential, function_point=point, now=now)

    async def create(drafts: Sequence[PurchaseDraft]) -> Sequence[Purchase | Fact]:
        return await ordering.create_all(work, drafts, now=now)

    return await idempotency.serve_all(work, principal.id, requests, now=now, effect=create, present=present)
