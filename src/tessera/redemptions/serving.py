"""Requests to redeem that came at the same time from one organization, served together in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tessera.idempotency import service as idempotency
from tessera.idempotency.service import KeyedRequest, Outcome
from tessera.identity.authentication import service as authentication
from tessera.identity.authentication.service import Credential
from tessera.identity.rules import FunctionPoint, Principal
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, LacksFunctionPoint
from tessera.redemptions import redeem as redeeming
from tessera.redemptions import validate
from tessera.redemptions.redeem import RedemptionDraft
from tessera.redemptions.repository import Redemption
from tessera.redemptions.validate import Refused


@dataclass(frozen=True, slots=True)
class RedemptionRequest:
    """One request: the credential, what is asked or what is wrong with it, and its idempotency key if it has one."""

    credential: Credential
    asked: RedemptionDraft | Refused | DomainError
    key: str | None
    digest: bytes


async def serve_all(
    work: UnitOfWork,
    requests: Sequence[RedemptionRequest],
    *,
    now: datetime,
    present: Callable[[Redemption], tuple[int, bytes]],
) -> list[Outcome]:
    """The answer to each request, as `present` puts it, or the fact to be told.

    A credential is looked at before anything else is told, and an idempotency key before anything is done.
    """
    answers: dict[int, Outcome] = {}
    refused: dict[int, Refused] = {}
    drafts: dict[int, RedemptionDraft] = {}
    callers = await _callers(work, requests, now=now)
    for position, request in enumerate(requests):
        caller = callers[request.credential]
        if isinstance(caller, DomainError):
            answers[position] = caller
        elif isinstance(request.asked, DomainError):
            answers[position] = request.asked
        elif isinstance(request.asked, Refused):
            refused[position] = request.asked
        else:
            drafts[position] = replace(request.asked, caller_id=caller.id)
    if refused:
        answers |= zip(refused, await validate.refuse_all(work, list(refused.values())), strict=True)
    keyed = {
        position: KeyedRequest(draft.caller_id, key, requests[position].digest)  # type: ignore[arg-type]
        if (key := requests[position].key)
        else None
        for position, draft in drafts.items()
    }

    async def redeem(positions: Sequence[int]) -> list[Outcome]:
        redeemed = await redeeming.redeem_all(work, [drafts[position] for position in positions], now=now)
        return [result if isinstance(result, DomainError) else present(result) for result in redeemed]

    answers |= await idempotency.once_all(work, keyed, now=now, effect=redeem)
    return [answers[position] for position in range(len(requests))]


async def _callers(
    work: UnitOfWork, requests: Sequence[RedemptionRequest], *, now: datetime
) -> dict[Credential, Principal | DomainError]:
    callers: dict[Credential, Principal | DomainError] = {}
    for credential in {request.credential: None for request in requests}:
        try:
            callers[credential] = await authentication.identify(work, credential=credential, now=now)
        except DomainError as error:
            callers[credential] = error
    return {credential: _admitted(caller) for credential, caller in callers.items()}


def _admitted(caller: Principal | DomainError) -> Principal | DomainError:
    """A storefront; a voucher partner's user has none."""
    if isinstance(caller, Principal) and (
        caller.partner_id is not None or FunctionPoint.STOREFRONT_REDEEM not in caller.function_points
    ):
        return LacksFunctionPoint(FunctionPoint.STOREFRONT_REDEEM)
    return caller
