"""What one caller asks at the same time, served in one transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tessera.api.serving.callers import Caller
from tessera.idempotency import service as idempotency
from tessera.idempotency.service import Outcome, PendingRequest
from tessera.identity.authentication import service as authentication
from tessera.identity.authentication.service import Credential
from tessera.identity.rules import FunctionPoint
from tessera.kit.batching import KeyedBatcher, answer_open
from tessera.kit.db.database import Database
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import JsonPage
from tessera.kit.errors import DomainError

Asked = TypeVar("Asked")
Done = TypeVar("Done")
Told = TypeVar("Told")
Serve = Callable[[Caller, Sequence[Asked]], Awaitable[Sequence[Told]]]

# Few and large statements: left to itself, Postgres may plan each anew, which takes as long as the page itself.
GENERIC = {"plan_cache_mode": "force_generic_plan"}


def of_one_caller(
    database: Database,
    clock: Callable[[], datetime],
    function_point: FunctionPoint,
    serve: Serve[Asked, Told],
    *,
    max_concurrency: int = 2,
    local: Mapping[str, str] | None = None,
) -> KeyedBatcher[Credential, Asked, Told]:
    """What a credential with this right asks, with `local` settings of the database.

    Who asks is looked at before anything is served: NotAuthenticated and LacksFunctionPoint are told to all.
    """

    async def serve_all(credential: Credential, asked: Sequence[Asked]) -> Sequence[Told]:
        now = clock()
        async with database.unit_of_work(credential.organization_id, local={**GENERIC, **(local or {})}) as work:
            principal = await authentication.identify(work, credential=credential, now=now)
            return await serve(
                Caller(await authentication.admit(work, principal, function_point), principal, now), asked
            )

    return KeyedBatcher(serve_all, max_concurrency=max_concurrency)


def effects(
    effect: Callable[..., Awaitable[Sequence[Done | DomainError]]], *, present: Callable[[Done], tuple[int, bytes]]
) -> Serve[PendingRequest[Any], Outcome]:
    """Serves requests by an effect on all that they ask, each once for its key, and answers as `present` puts it."""

    async def serve(caller: Caller, requests: Sequence[PendingRequest[Any]]) -> Sequence[Outcome]:
        async def act(asked: Sequence[Any]) -> Sequence[Done | DomainError]:
            return await effect(caller.work, asked, now=caller.now)

        return await idempotency.serve_all(
            caller.work, caller.principal.id, requests, now=caller.now, effect=act, present=present
        )

    return serve


def pages(
    list_pages: Callable[..., Awaitable[Sequence[JsonPage | DomainError]]], *, projection: JsonProjection
) -> Serve[tuple[Any, int] | DomainError, JsonPage | DomainError]:
    """Serves pages, by filter and number, of objects in this shape."""

    async def serve(caller: Caller, asked: Sequence[tuple[Any, int] | DomainError]) -> Sequence[JsonPage | DomainError]:
        return await answer_open(asked, lambda open_: list_pages(caller.work, open_, projection=projection))

    return serve
