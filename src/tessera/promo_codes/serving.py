"""Requests for promo codes that came at the same time from one caller, served together in one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime

from tessera.idempotency import service as idempotency
from tessera.idempotency.service import Answer, Requested
from tessera.identity import service as identity
from tessera.identity.rules import FunctionPoint
from tessera.identity.service import Credential
from tessera.kit.batching import answer_open
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Fact
from tessera.kit.pagination import JsonPage
from tessera.kit.shapes import Shape
from tessera.promo_codes import service
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.service import ListedPromoCode, PromoCodeFilter

FUNCTION_POINT = FunctionPoint.PARTNER_MANAGE_PROMO_CODES
PageRequest = tuple[PromoCodeFilter, int] | Fact
PageAnswer = JsonPage | Fact


async def create_all(
    work: UnitOfWork,
    credential: Credential,
    requests: Sequence[Requested[PromoCodeDraft]],
    *,
    now: datetime,
    present: Callable[[ListedPromoCode], tuple[int, bytes]],
) -> list[Answer]:
    """The answer to each request, as `present` puts it, or the fact to be told.

    Raises NotAuthenticated and LacksFunctionPoint, before anything else is told.
    """
    work, principal = await identity.enter(work, credential=credential, function_point=FUNCTION_POINT, now=now)

    async def create(drafts: Sequence[PromoCodeDraft]) -> Sequence[ListedPromoCode | Fact]:
        return await service.create_all(work, drafts, now=now)

    return await idempotency.serve_all(work, principal.id, requests, now=now, effect=create, present=present)


async def list_pages(
    work: UnitOfWork, credential: Credential, asked: Sequence[PageRequest], *, now: datetime, shape: Shape
) -> list[PageAnswer]:
    """The page that each asks for by filter and number, or the fact to be told.

    Raises NotAuthenticated and LacksFunctionPoint, before anything else is told.
    """
    work, _ = await identity.enter(work, credential=credential, function_point=FUNCTION_POINT, now=now)
    return await answer_open(asked, lambda open_: service.list_pages(work, open_, shape=shape))
