"""What every request may use, and the unit of work that its credential opens."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Depends, Request

from tessera.api.http.uploads import received
from tessera.idempotency.service import Outcome, PendingRequest
from tessera.identity.authentication import service as authentication
from tessera.identity.authentication.credentials import ApiKeyText, parse_key
from tessera.identity.authentication.key_usage import KeyUses
from tessera.identity.authentication.service import Credential, Subject
from tessera.identity.rules import FunctionPoint, Principal
from tessera.kit.batching import Batcher, KeyedBatcher
from tessera.kit.db.database import Database
from tessera.kit.db.pages import JsonPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, NotAuthenticated
from tessera.kit.tokens import TokenSigner
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.service import PromoCodeFilter
from tessera.promo_codes.uses.service import UsabilityRequest, Validation
from tessera.redemptions.serving import RedemptionRequest
from tessera.vouchers.issued.service import VoucherFilter
from tessera.vouchers.purchases.rules import PurchaseDraft

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a composition root puts together for the routers."""

    database: Database
    signer: TokenSigner
    clock: Callable[[], datetime]
    token_lifetime: timedelta
    validations: Batcher[UsabilityRequest, Validation | DomainError]
    redemptions: KeyedBatcher[UUID, RedemptionRequest, Outcome]
    creations: KeyedBatcher[Credential, PendingRequest[PromoCodeDraft], Outcome]
    purchases: KeyedBatcher[Credential, PendingRequest[PurchaseDraft], Outcome]
    promo_code_pages: KeyedBatcher[Credential, tuple[PromoCodeFilter, int] | DomainError, JsonPage | DomainError]
    voucher_pages: KeyedBatcher[Credential, tuple[VoucherFilter, int] | DomainError, JsonPage | DomainError]
    public_url: str | None
    schema_revision: str
    key_uses: KeyUses


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated request: its unit of work, who asks, and when."""

    work: UnitOfWork
    principal: Principal
    now: datetime


def resources_of(request: Request) -> Resources:
    """The resources of the application that serves this request."""
    found: Resources = request.app.state.resources
    return found


def bearer_subject(request: Request) -> Subject:
    """Whom the Bearer token of a request is for, verified and not yet recognized; raises NotAuthenticated."""
    resources = resources_of(request)
    return authentication.parse_subject(resources.signer.read(_bearer_token(request), now=resources.clock()))


def bearer_caller(function_point: FunctionPoint) -> Any:  # noqa: ANN401 - what FastAPI's Depends returns
    """A dependency: the caller with a Bearer token and this function point.

    It commits before the answer is sent (`scope="function"`), so that no client reads before its write is visible, and
    a commit that fails is never a success. Raises NotAuthenticated, LacksFunctionPoint.
    """

    async def caller(request: Request) -> AsyncIterator[Caller]:
        async with _calling(request, bearer_subject(request), function_point) as found:
            yield found

    return Depends(caller, scope="function")


def key_or_bearer_caller(function_point: FunctionPoint) -> Any:  # noqa: ANN401 - what FastAPI's Depends returns
    """A dependency like `bearer_caller` that takes a `cv-api-key` as well, which counts where both are sent."""

    async def caller(request: Request) -> AsyncIterator[Caller]:
        async with _calling(request, key_or_token(request), function_point) as found:
            yield found

    return Depends(caller, scope="function")


def key_or_token(request: Request) -> Credential:
    """The credential of a request, read and not yet recognized; raises NotAuthenticated."""
    text = request.headers.get("cv-api-key")
    return bearer_subject(request) if text is None else parse_key(text)


async def ask_as_bearer(
    request: Request, batchers: KeyedBatcher[Credential, Q | DomainError, A | DomainError], question: Callable[[], Q]
) -> A:
    """The answer for the caller with a Bearer token; raises the fact that it may be, or that `question` raises.

    What is wrong with a request is told to those alone whose credential is good, so it is asked like a question.
    """
    subject = bearer_subject(request)
    asked: Q | DomainError
    try:
        asked = question()
    except DomainError as error:
        asked = error
    request.state.organization_id = subject.organization_id
    answer = await batchers.ask(subject, asked)
    if isinstance(answer, DomainError):
        raise answer
    return answer


@asynccontextmanager
async def _calling(request: Request, credential: Credential, function_point: FunctionPoint) -> AsyncIterator[Caller]:
    resources = resources_of(request)
    now = resources.clock()
    async with received(request), resources.database.unit_of_work(credential.organization_id) as work:
        principal = await authentication.identify(work, credential=credential, now=now)
        if isinstance(credential, ApiKeyText):
            resources.key_uses.note(credential.name, now=now)
        request.state.organization_id = principal.organization_id
        yield Caller(await authentication.admit(work, principal, function_point), principal, now)


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("A Bearer token is required.")
    return token.strip()
