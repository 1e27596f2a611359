"""Statements for the management of the store exams of one tenant."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.catalog.rules import Status
from tessera.catalog.tables import StoreExam
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedStoreExam:
    """A store exam with its status and its version."""

    id: UUID
    code: str
    name: str
    price: Decimal
    status: Status
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreExamFilter:
    """Filters of store exams; None matches every exam."""

    code: str | None = None
    status: Status | None = None


_COLUMNS = [getattr(StoreExam, name) for name in ManagedStoreExam.__dataclass_fields__]


class StoreExamRepository:
    """The store exams of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, exam: ManagedStoreExam) -> bool:
        """Add a store exam; False if its code is taken."""
        statement = (
            upsert(StoreExam)
            .values(organization_id=self._organization_id, **asdict(exam))
            .on_conflict_do_nothing(constraint="store_exams_organization_id_code_key_key")
            .returning(StoreExam.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def find(self, exam_id: UUID) -> ManagedStoreExam | None:
        """The store exam with this id."""
        return await fetch_first(self._connection, self._select().where(StoreExam.id == exam_id), _managed)

    async def lock(self, exam_id: UUID) -> ManagedStoreExam | None:
        """The store exam with this id, locked FOR UPDATE."""
        return await fetch_first(
            self._connection, self._select().where(StoreExam.id == exam_id).with_for_update(), _managed
        )

    async def list_by_cursor(
        self, filters: StoreExamFilter, *, after: str | None, size: int
    ) -> CursorPage[ManagedStoreExam]:
        """A page of store exams, oldest first."""
        statement = self._select()
        if filters.code is not None:
            statement = statement.where(StoreExam.code_key == key_of(filters.code))
        if filters.status is not None:
            statement = statement.where(StoreExam.status == filters.status)
        page = await fetch_cursor_page(
            self._connection, statement, order=[StoreExam.__table__.c.id], after=after, size=size
        )
        return page.map(_managed)

    async def change(self, exam: ManagedStoreExam) -> None:
        """Write the state and the version of a locked store exam."""
        await self._connection.execute(
            update(StoreExam)
            .where(StoreExam.organization_id == self._organization_id, StoreExam.id == exam.id)
            .values(name=exam.name, price=exam.price, status=exam.status, version=exam.version)
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*_COLUMNS).where(StoreExam.organization_id == self._organization_id)


def _managed(row: AnyRow) -> ManagedStoreExam:
    return record_of(ManagedStoreExam, row, status=Status(row.status))
