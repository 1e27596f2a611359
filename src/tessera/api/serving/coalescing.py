"""Request coalescing: requests that arrive together share a statement or a transaction.

All requests share the statement that identifies their callers. Requests of a hot operation also share their execution.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from tessera.api.serving.operations import HotLookup, HotRead, HotWrite
from tessera.idempotency import service as idempotency
from tessera.idempotency.service import KeyedRequest, KeyInUse, Outcome, ResponseSpace
from tessera.identity.authentication import service as authentication
from tessera.identity.authentication.credentials import Credential
from tessera.identity.rules import Principal
from tessera.kit.batching import Batcher, KeyedBatcher
from tessera.kit.db.database import Access, Database
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, NotAuthenticated

# The requests in one batch. A page may have megabytes, and the pages of a batch arrive without a pause between them. A
# larger batch would hold nearly all that waits, so that the database would use only one of its processors.
MAX_READS = 8
MAX_WRITES = 100


@dataclass(frozen=True, slots=True)
class HotRequest:
    """An admitted request of a hot operation: its caller, its query or command, and its `Idempotency-Key` if any."""

    principal: Principal
    value: Any
    keyed_request: KeyedRequest | None = None


class Coalescer:
    """Batches identifications, and the requests of every hot operation.

    The result of a failed one is its DomainError.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], *, space: ResponseSpace) -> None:
        self._database = database
        self._clock = clock
        self._space = space
        self._identifications = Batcher(self._identify_all, is_cancellable=True)
        self._batchers: dict[HotRead[Any, Any] | HotWrite[Any, Any], KeyedBatcher[Hashable, HotRequest, Any]] = {}
        self._lookups: dict[HotLookup[Any, Any], Batcher[Any, Any]] = {}
        # A transaction that waits too long for a lock is aborted and tried again. In the pause, the database does not
        # know its key, and a request with the same key would take its place and wait for the same lock.
        self._keys_in_use: set[Hashable] = set()

    async def identify(self, credential: Credential) -> Principal | NotAuthenticated:
        """The caller with this credential, which is looked up together with those of all organizations."""
        return await self._identifications.submit(credential)

    async def read(self, operation: HotRead[Any, Any], request: HotRequest) -> Any:  # noqa: ANN401 - of the operation
        """The result of a query."""
        batcher = self._batcher(operation, self._read_all)
        return await batcher.submit(_key(operation, request), request)

    async def write(self, operation: HotWrite[Any, Any], request: HotRequest, *, by_itself: bool) -> Outcome:
        """Status and body of the response to a command, which has one effect for each key."""
        batcher = self._batcher(operation, self._write_all)
        submit = batcher.submit_heavy if by_itself else batcher.submit
        with self._holding_key(request) as is_first:
            outcome: Outcome = await submit(_key(operation, request), request) if is_first else KeyInUse()
        return outcome

    @contextmanager
    def _holding_key(self, request: HotRequest) -> Iterator[bool]:
        """Whether this request is the only one of this process with its key, if it has one."""
        if request.keyed_request is None:
            yield True
            return
        key = (request.principal.organization_id, request.keyed_request.name)
        if key in self._keys_in_use:
            yield False
            return
        self._keys_in_use.add(key)
        try:
            yield True
        finally:
            self._keys_in_use.remove(key)

    async def look_up(self, operation: HotLookup[Any, Any], query: Any) -> Any:  # noqa: ANN401 - of the operation
        """The result of a look-up, which is executed together with those of other organizations."""
        batcher = self._lookups.get(operation)
        if batcher is None:
            batcher = self._lookups[operation] = Batcher(partial(self._look_up_all, operation), is_cancellable=True)
        return await batcher.submit(query)

    def _batcher(
        self, operation: HotRead[Any, Any] | HotWrite[Any, Any], execute: Callable[..., Awaitable[Sequence[Any]]]
    ) -> KeyedBatcher[Hashable, HotRequest, Any]:
        batcher = self._batchers.get(operation)
        if batcher is None:
            is_read = isinstance(operation, HotRead)
            batcher = KeyedBatcher(
                partial(execute, operation),
                limit=MAX_READS if is_read else MAX_WRITES,
                max_concurrency=operation.coalescing.max_concurrency,
                is_cancellable=is_read,
            )
            self._batchers[operation] = batcher
        return batcher

    async def _identify_all(self, credentials: Sequence[Credential]) -> Sequence[Principal | NotAuthenticated]:
        return await authentication.identify_all(self._database, credentials, now=self._clock())

    async def _read_all(
        self, operation: HotRead[Any, Any], _: Hashable, requests: Sequence[HotRequest]
    ) -> Sequence[Any]:
        async with self._transaction(operation, requests[0].principal) as work:
            return await operation.execute(work, [request.value for request in requests])

    async def _write_all(
        self, operation: HotWrite[Any, Any], _: Hashable, requests: Sequence[HotRequest]
    ) -> Sequence[Outcome]:
        now = self._clock()
        keyed = {
            position: key for position, request in enumerate(requests) if (key := request.keyed_request) is not None
        }
        async with self._transaction(operation, requests[0].principal) as work:
            outcomes = await idempotency.lock_all(work, keyed, space=self._space, now=now) if keyed else {}
            first = [position for position in range(len(requests)) if position not in outcomes]
            commands = [requests[position].value for position in first]
            results = await operation.execute(work, commands, now=now) if commands else ()
            for position, result in zip(first, results, strict=True):
                outcomes[position] = result if isinstance(result, DomainError) else operation.present(result)
            responses = {keyed[position]: outcomes[position] for position in first if position in keyed}
            if responses:
                await idempotency.store_all(work, responses, space=self._space, now=now)
        return [outcomes[position] for position in range(len(requests))]

    async def _look_up_all(self, operation: HotLookup[Any, Any], queries: Sequence[Any]) -> Sequence[Any]:
        results: Sequence[Any] = await operation.execute(self._database, queries, now=self._clock())
        return results

    def _transaction(
        self, operation: HotRead[Any, Any] | HotWrite[Any, Any], principal: Principal
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        settings = operation.coalescing.settings
        access = Access.READ if isinstance(operation, HotRead) else Access.CHANGE
        if not operation.coalescing.by_organization:
            return self._database.unit_of_work(
                principal.organization_id,
                partner_id=principal.partner_id,
                actor=principal.actor,
                settings=settings,
                access=access,
            )
        return self._database.unit_of_work(principal.organization_id, settings=settings, access=access)


def _key(operation: HotRead[Any, Any] | HotWrite[Any, Any], request: HotRequest) -> Hashable:
    principal = request.principal
    return principal.organization_id if operation.coalescing.by_organization else principal
