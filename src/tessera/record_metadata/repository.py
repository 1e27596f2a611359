"""Statements on the metadata of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import any_, delete, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.record_metadata.rules import Kind
from tessera.record_metadata.tables import RecordMetadata


class MetadataRepository:
    """The metadata of records of one kind, in the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork, kind: Kind) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._kind = kind

    async def lock(self, record_id: UUID) -> None:
        """Let no other transaction write the metadata of this record until this one ends."""
        await self._connection.exec_driver_sql(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"metadata/{record_id}",)
        )

    async def find_all(self, ids: Sequence[UUID]) -> Mapping[UUID, dict[str, str]]:
        """The metadata of these records, in the order of keys; records without metadata have none."""
        table = RecordMetadata
        statement = (
            select(table.record_id, table.key, table.value)
            .where(
                table.organization_id == self._organization_id,
                table.kind == self._kind,
                table.record_id == any_(literal(list(ids), ARRAY(Uuid))),
            )
            .order_by(table.record_id, table.key)
        )
        found: dict[UUID, dict[str, str]] = defaultdict(dict)
        for row in await self._connection.execute(statement):
            found[row.record_id][row.key] = row.value
        return {record_id: found.get(record_id, {}) for record_id in ids}

    async def replace(self, record_id: UUID, metadata: Mapping[str, str]) -> None:
        """Write the metadata of a locked record in place of its present metadata."""
        table = RecordMetadata
        record = {"organization_id": self._organization_id, "kind": self._kind, "record_id": record_id}
        await self._connection.execute(
            delete(table).where(
                table.organization_id == self._organization_id, table.kind == self._kind, table.record_id == record_id
            )
        )
        if metadata:
            rows = [record | {"key": key, "value": value} for key, value in metadata.items()]
            await self._connection.execute(insert(table), rows)

    async def list_ids(self, key: str, value: str, *, after: str | None, size: int) -> CursorPage[UUID]:
        """A page of the records that have this value of this key, in the order of their ids."""
        table = RecordMetadata
        statement = select(table.record_id).where(
            table.organization_id == self._organization_id,
            table.kind == self._kind,
            table.key == key,
            table.value == value,
        )
        order = [table.__table__.c.record_id]
        page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        return page.map(lambda row: row.record_id)
