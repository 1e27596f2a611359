"""Hot operations as values: each declares what the pipeline does for it at every step.

Requests that arrive while earlier ones are executed are coalesced: they are executed together, in one transaction or
statement. A hot operation therefore executes many requests at once, and answers them in their order.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from fastapi import Request, Response

from tessera.identity.authentication.credentials import Credential
from tessera.identity.authentication.policies import Policy
from tessera.identity.rules import Principal
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError

Query = TypeVar("Query")
Command = TypeVar("Command")
Result = TypeVar("Result")

# Hot statements are few and large. Planned anew for each execution, a page takes twice as long.
GENERIC_PLANS = {"plan_cache_mode": "force_generic_plan"}


class Route(NamedTuple):
    """The method and path of an operation."""

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalescing:
    """Which requests are executed together, in how many batches at once, under which settings of Postgres.

    Requests of one caller are executed together, in a transaction that acts as the caller; with `by_organization`
    those of all callers of an organization, in a transaction that acts as none of them.
    """

    by_organization: bool = False
    max_concurrency: int = 2
    settings: Mapping[str, str] = field(default_factory=lambda: GENERIC_PLANS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HotRead(Generic[Query, Result]):
    """An operation that changes nothing."""

    route: Route
    policy: Policy
    read: Callable[[Request], Query]
    execute: Callable[[UnitOfWork, Sequence[Query]], Awaitable[Sequence[Result | DomainError]]]
    present: Callable[[Request, Result], Response]
    coalescing: Coalescing = Coalescing()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HotWrite(Generic[Command, Result]):
    """An operation that has one effect for each `Idempotency-Key`.

    `present` gives the status and the body of the response, which are stored under the key. Commands for which
    `is_keyed` is false have no effect, and are answered without regard to their key.
    """

    route: Route
    policy: Policy
    read: Callable[[Request, Principal], Awaitable[Command]]
    execute: Callable[..., Awaitable[Sequence[Result | DomainError]]]  # of UnitOfWork and commands, with `now`
    present: Callable[[Result], tuple[int, bytes]]
    is_keyed: Callable[[Command], bool] = lambda _: True
    coalescing: Coalescing = Coalescing()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HotLookup(Generic[Query, Result]):
    """A look-up for the holder of an API key, of many organizations in one statement, which finds the key as well.

    Identifying the caller by a statement of its own would double the cost of the look-up. `read` gives the query, or
    the error that a caller with a valid key is told; it never raises.
    """

    route: Route
    credential: Callable[[Request], Credential]
    read: Callable[[Request, Credential], tuple[Query, DomainError | None]]
    execute: Callable[..., Awaitable[Sequence[Result | DomainError]]]  # of Reader and queries, with `now`
    present: Callable[[Result], Response]


HotOperation = HotRead[Any, Any] | HotWrite[Any, Any] | HotLookup[Any, Any]
