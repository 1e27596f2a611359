"""The versioned, audited edit: lock a record, check its version, write its new state and record the change."""

from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Move, Target
from tessera.kit.errors import NotFound, WrongState


class Record(Protocol):
    """A dataclass with an id and a version."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def id(self) -> UUID: ...  # noqa: D102

    @property
    def version(self) -> int: ...  # noqa: D102


class RecordWithStatus(Record, Protocol):
    """A record whose status is one of its fields."""

    @property
    def status(self) -> str: ...  # noqa: D102


T = TypeVar("T", bound=Record)
S = TypeVar("S", bound=RecordWithStatus)


class Repository(Protocol[T]):
    """The statements that an edit needs."""

    async def lock(self, record_id: UUID, /) -> T | None:
        """The record, locked FOR UPDATE."""

    async def change(self, record: T, /) -> None:
        """Write the state and the version of a locked record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable(Generic[T]):
    """The edits of one kind of record: `kind` is its name in the audit log, and `noun` its name in errors.

    `moves` maps a new status to the move that leads to it; `values` returns the fields that the audit log stores.
    """

    kind: str
    noun: str
    moves: Mapping[str, Move] = field(default_factory=dict)
    values: Callable[[T], Mapping[str, Any]] = asdict

    def require(self, record: T | None) -> T:
        """The record; raises NotFound if there is none."""
        if record is None:
            raise NotFound(f"There is no such {self.noun}.")
        return record

    def require_current(self, record: T | None, target: Target) -> T:
        """The locked record of this target; raises NotFound, VersionStale."""
        current = self.require(record)
        target.ensure(current.version)
        return current

    def require_move(self, status: str, new_status: str) -> Move:
        """The move between these statuses; raises WrongState if there is none."""
        move = self.moves[new_status]
        if status not in move.origins:
            raise WrongState(self.noun, status)
        return move

    async def lock(self, repository: Repository[T], target: Target) -> T:
        """Lock the record; raises NotFound, VersionStale."""
        return self.require_current(await repository.lock(target.id), target)

    async def save(
        self, work: UnitOfWork, repository: Repository[T], before: T, after: T, action: str, *, now: datetime
    ) -> T:
        """Write the new state of a locked record as its next version and record the change; returns that version."""
        after = replace(after, version=before.version + 1)
        await repository.change(after)
        await self.record(work, action, before, after, now=now)
        return after

    async def move(
        self: "Editable[S]",
        work: UnitOfWork,
        repository: Repository[S],
        target: Target,
        new_status: str,
        *,
        now: datetime,
    ) -> S:
        """Move a record to another status; raises NotFound, VersionStale, WrongState."""
        before = await self.lock(repository, target)
        move = self.require_move(before.status, new_status)
        return await self.save(work, repository, before, replace(before, status=new_status), move.action, now=now)

    def change(self, action: str, before: T | None, after: T) -> Change:
        """The change as the audit log records it; `before` is None for a new record."""
        old = None if before is None else self.values(before)
        return Change(action=action, kind=self.kind, id=after.id, before=old, after=self.values(after))

    async def record(self, work: UnitOfWork, action: str, before: T | None, after: T, *, now: datetime) -> None:
        """Record a change; `before` is None for a new record."""
        await audit.record(work, self.change(action, before, after), now=now)

    async def record_created(self, work: UnitOfWork, record: T, *, now: datetime) -> None:
        """Record that a record was created."""
        await self.record(work, Action.CREATED, None, record, now=now)
