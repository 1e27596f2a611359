"""Hot operations as values: each declares what the pipeline does in each of its steps.

Requests that arrive while earlier ones are executed are coalesced: they are executed together, in one transaction or
statement. A hot operation therefore executes many requests at once, and returns their results in the same order.
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

# Hot statements are few and large. With a new plan for each execution, a page takes twice as long.
GENERIC_PLANS = {"plan_cache_mode": "force_generic_plan"}


class Route(NamedTuple):
    """The method and path of an operation."""

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalescing:
    """The requests that share a batch, the number of batches at once, and their settings of Postgres.

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

    `present` returns the status and the body of the response, which are stored under the key. Commands for which
    `is_keyed` is false have no effect, and their key is ignored. An error for which `is_miss` is true counts as a
    guess.
    """

    route: Route
    policy: Policy
    read: Callable[[Request, Principal], Awaitable[Command]]
    execute: Callable[..., Awaitable[Sequence[Result | DomainError]]]  # (UnitOfWork, commands, now=)
    present: Callable[[Result], tuple[int, bytes]]
    is_miss: Callable[[DomainError], bool] = lambda _: False
    is_keyed: Callable[[Command], bool] = lambda _: True
    coalescing: Coalescing = Coalescing()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HotLookup(Generic[Query, Result]):
    """A look-up with an API key: one statement checks the keys and executes the queries of many organizations.

    A separate statement for the keys would double the cost. `read` returns the query, and the error to report if the
    key is valid; it never raises.
    """

    route: Route
    credential: Callable[[Request], Credential]
    read: Callable[[Request, Credential], tuple[Query, DomainError | None]]
    execute: Callable[..., Awaitable[Sequence[Result | DomainError]]]  # (Reader, queries, now=)
    present: Callable[[Result], Response]


HotOperation = HotRead[Any, Any] | HotWrite[Any, Any] | HotLookup[Any, Any]
