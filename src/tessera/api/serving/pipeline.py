"""The request pipeline: every request goes through the same steps in the same order.

1. limit: connections.py bounds the head and the pace, `RequestLimits` body and time (limits.py), `ForwardedHeaders`
   trusts only configured proxies, and addresses take turns (middleware.py)
2. identify: find the caller, with one statement for all requests that arrive together (`Pipeline.identify`)
3. admit: check the caller's rights, its budget of guesses (budgets.py), and the share of its organization (shares.py)
4. read: parse the query and the body, and collect every violation
5. idempotency: return the stored response for a known `Idempotency-Key` (idempotency.py)
6. execute: in one transaction of the caller's organization
7. present: render the result, or the error in the API's own format (error_rendering/)
8. log: write one line (request_log.py)

Hot operations are values (operations.py): `Pipeline.run` runs their steps 2 to 7, and coalescing.py executes requests
that arrive together as one batch. For all other operations, `Pipeline.transaction` runs steps 2 and 3 and opens the
transaction; their endpoints read, execute and present in the same order.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from tessera.api.http.parsing import is_transfer, receive_body, refuse_parameters, size_of_body
from tessera.api.http.uploads import upload_received
from tessera.api.serving import idempotency
from tessera.api.serving.budgets import GuessLimits, MissBudgets, asker
from tessera.api.serving.callers import Caller
from tessera.api.serving.coalescing import Coalescer, HotRequest
from tessera.api.serving.operations import HotLookup, HotOperation, HotRead, HotWrite
from tessera.api.serving.shares import LARGE_BODY_BYTES, Shares
from tessera.api.serving.unread import READER, UNREAD
from tessera.identity.authentication.credentials import (
    Credential,
    CredentialKind,
    CredentialName,
    WrongSecret,
    parse_claims,
    parse_forged_claims,
    parse_key,
)
from tessera.identity.authentication.key_usage import KeyUses
from tessera.identity.authentication.policies import Policy
from tessera.identity.authentication.wrong_secrets import WrongSecrets
from tessera.identity.rules import Principal
from tessera.kit.db.database import Database
from tessera.kit.errors import DomainError, NotAuthenticated, NotFound
from tessera.kit.tokens import TokenExpired, TokenSigner

# After a body took this long to arrive, its caller is admitted again: no upload outlasts the right to send it.
SLOW_BODY_SECONDS = 1.0
NOBODY = UUID(int=2**128 - 1)


class Pipeline:
    """Steps 2 to 7 for one application."""

    def __init__(
        self,
        database: Database,
        signer: TokenSigner,
        clock: Callable[[], datetime],
        *,
        transfer_seconds: float,
        limits: GuessLimits,
        shares: Shares,
    ) -> None:
        self.key_uses = KeyUses()
        self._database = database
        self._transfers = database.within(transfer_seconds)
        self._signer = signer
        self._clock = clock
        self._wrong_secrets = WrongSecrets(limits.wrong_secrets)
        self._misses = MissBudgets(limits)
        self._shares = shares
        self._coalescer = Coalescer(database, clock, space=shares.responses)

    async def run(self, request: Request, operation: HotOperation) -> Response:
        """The response to a request of a hot operation; raises DomainError."""
        match operation:
            case HotLookup():
                return await self._look_up(request, operation)
            case HotRead():
                return await self._run_read(request, operation)
            case HotWrite():
                return await self._run_write(request, operation)

    @asynccontextmanager
    async def transaction(self, request: Request, policy: Policy) -> AsyncIterator[Caller]:
        """The caller of any other operation, with a transaction that commits at the end.

        Raises NotAuthenticated, LacksFunctionPoint, NotAllowed.
        """
        database = self._transfers if is_transfer(request.scope["path"]) else self._database
        # The body is complete before a connection is taken: slow uploads must not use up the pool.
        async with self._admitted(request, policy) as principal:
            refuse_parameters(request)
            async with (
                await self._shares.work(request, policy, principal.organization_id),
                database.unit_of_work(
                    principal.organization_id, partner_id=principal.partner_id, actor=principal.actor
                ) as work,
            ):
                yield Caller(work, principal, self._clock(), self._shares.responses)

    @asynccontextmanager
    async def heavy_work(self, request: Request, policy: Policy) -> AsyncIterator[None]:
        """A slot for the heavy work of an operation that streams its response.

        Raises NotAuthenticated, LacksFunctionPoint, NotAllowed, TooManyRequests.
        """
        principal = await self.admit(request, policy)
        async with self._shares.heavy(principal.organization_id):
            request.state.has_heavy_slot = True
            yield

    @contextmanager
    def body_of_stranger(self, request: Request) -> Iterator[None]:
        """Charge the body of a request without a credential; all such requests have the share of one organization."""
        with self._shares.space(request).account(NOBODY) as request.state.body_account:
            yield

    async def identify(self, credential: Credential) -> Principal:
        """The caller with this credential; raises NotAuthenticated, TooManyRequests.

        An unknown credential enters no batch and opens no transaction of the organization that it names.
        """
        self._wrong_secrets.admit(credential)
        principal = await self._coalescer.identify(credential)
        if isinstance(principal, WrongSecret):
            self._wrong_secrets.note(credential, principal)
        if isinstance(principal, NotAuthenticated):
            raise principal
        if credential.kind is CredentialKind.KEY:
            self._note_use(credential.name)
        return principal

    async def admit(self, request: Request, policy: Policy) -> Principal:
        """The caller of a request, if the policy admits it.

        Raises NotAuthenticated, LacksFunctionPoint, NotAllowed, TooManyRequests.
        """
        credential = self._credential(request, policy)
        state = request.scope["state"]
        state["credential"] = credential.public_text
        principal = await self.identify(credential)
        state["organization_id"] = principal.organization_id
        policy.admit(principal)
        _admit_reader(request, principal.organization_id)
        # Here the caller is known, and the request is neither read nor queued yet.
        state["asker"] = asker(request, credential)
        if policy.asks_for_codes or policy.names_codes:
            self.admit_guess(request)
        return principal

    def admit_guess(self, request: Request) -> None:
        """Raise TooManyRequests if the caller of an admitted request has used up its budget of guesses."""
        self._misses.admit(request.scope["state"]["asker"])

    def count_misses(self, request: Request, count: int) -> None:
        """Count the guesses of an admitted request, such as codes that do not exist."""
        self._misses.spend(request.scope["state"]["asker"], count)

    def _credential(self, request: Request, policy: Policy) -> Credential:
        key = request.headers.get("cv-api-key") if policy.accepts_keys else None
        if key is not None:
            return parse_key(key, host=request.client and request.client.host)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("A Bearer token is required.")
        return parse_claims(self._claims(token.strip()))

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            return self._signer.read(token, now=self._clock())
        except TokenExpired:
            raise
        except NotAuthenticated:
            if (name := parse_forged_claims(self._signer.read_unverified(token))) is not None:
                self._wrong_secrets.note_forgery(name)
            raise

    @asynccontextmanager
    async def _admitted(self, request: Request, policy: Policy) -> AsyncIterator[Principal]:
        principal = await self.admit(request, policy)
        organization_id, began = principal.organization_id, time.monotonic()
        with self._shares.space(request).account(organization_id) as request.state.body_account:
            if is_transfer(request.scope["path"]):
                async with self._shares.upload(organization_id), upload_received(request):
                    yield await self._still_admitted(request, policy, principal, since=began)
            else:
                await receive_body(request)
                yield await self._still_admitted(request, policy, principal, since=began)

    async def _still_admitted(
        self, request: Request, policy: Policy, principal: Principal, *, since: float
    ) -> Principal:
        """The caller, who is admitted again if the body took long to arrive since that time."""
        if time.monotonic() - since < SLOW_BODY_SECONDS:
            return principal
        return await self.admit(request, policy)

    async def _run_read(self, request: Request, operation: HotRead[Any, Any]) -> Response:
        principal = await self.admit(request, operation.policy)
        query = operation.read(request)
        result = await self._coalescer.read(operation, HotRequest(principal, query))
        return operation.present(request, _result_or_raise(result))

    async def _run_write(self, request: Request, operation: HotWrite[Any, Any]) -> Response:
        async with self._admitted(request, operation.policy) as principal:
            command = await operation.read(request, principal)
        keyed_request = None
        if operation.is_keyed(command):
            keyed_request = await idempotency.read_keyed_request(request, principal)
        is_large = await size_of_body(request) > LARGE_BODY_BYTES
        hot_request = HotRequest(principal, command, keyed_request)
        async with self._shares.large(principal.organization_id) if is_large else nullcontext():
            outcome = await self._coalescer.write(operation, hot_request, by_itself=is_large)
        if isinstance(outcome, DomainError) and operation.is_miss(outcome):
            self.count_misses(request, 1)
        return idempotency.stored_response(_result_or_raise(outcome))

    async def _look_up(self, request: Request, operation: HotLookup[Any, Any]) -> Response:
        credential, state = operation.credential(request), request.scope["state"]
        state["organization_id"] = credential.organization_id
        state["credential"] = credential.public_text
        state["asker"] = asker(request, credential)
        self._wrong_secrets.admit(credential)
        self._misses.admit(state["asker"])
        # The key is checked even if the query is malformed, because a caller without a valid key gets only a 401.
        query, error = operation.read(request, credential)
        result = await self._coalescer.look_up(operation, query)
        if isinstance(result, NotAuthenticated):
            # Identification counts the attempt, and finds the digest of the right key, which the look-up lacks.
            await self.identify(credential)
            raise result
        _admit_reader(request, credential.organization_id)
        self._note_use(credential.name)
        result = error or result
        if isinstance(result, NotFound):
            self.count_misses(request, 1)
        return operation.present(_result_or_raise(result))

    def _note_use(self, key: CredentialName) -> None:
        self.key_uses.note(key, now=self._clock())


def _admit_reader(request: Request, organization_id: UUID) -> None:
    """Count the response to this organization, which is known; raises TooManyRequests if it leaves too much unread."""
    state = request.scope["state"]
    if unread := state.get(UNREAD):  # only a real connection has it
        unread.admit(organization_id)
        state[READER] = organization_id


def _result_or_raise(result: Any) -> Any:  # noqa: ANN401 - of any operation
    if isinstance(result, DomainError):
        raise result
    return result
