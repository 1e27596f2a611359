"""Statements on the metadata of one tenant: the columns of the records, and the rows that find records by them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Select,
    TableClause,
    Uuid,
    and_,
    any_,
    column,
    delete,
    literal,
    literal_column,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.db.bulk_insert import insertion
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.pages import CursorOrder, CursorPage, fetch_cursor_page
from tessera.kit.db.selective import fetch_compared_page
from tessera.kit.db.single_rows import has_row
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.record_metadata.rules import KeyAndText, Kind
from tessera.record_metadata.tables import RecordMetadata

# Lists with a filter by metadata are in this order, which is that of creation.
RECORD_ID: ColumnElement[UUID] = RecordMetadata.__table__.c.record_id


def _records(kind: Kind) -> TableClause:
    metadata: ColumnClause[dict[str, str] | None] = column("metadata", JSONB(none_as_null=True))
    others: tuple[ColumnClause[Any], ...] = (column("organization_id"), column("id"), column("version"))
    return table(f"{kind.noun.replace(' ', '_')}s", metadata, *others)


_RECORDS = {kind: _records(kind) for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFilter:
    """The filter of records of one kind, whose ids are in this column, by the text of one key."""

    kind: Kind
    organization_id: UUID
    pair: KeyAndText
    record_id: ColumnElement[UUID]

    def apply(self, records: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        """Those of these records that have the text; an index returns them in the order of RECORD_ID.

        Each record is looked up on its own. For a join, a plan may read all records of the organization instead.
        """
        # Not a range as in `with_id`: with another filter, the planner would take the index of that filter for each.
        record = records.where(self.record_id == RECORD_ID).limit(literal_column("1")).lateral("record")
        return select(record).select_from(RecordMetadata).join(record, true()).where(self._matches())

    async def fetch_page(
        self,
        connection: AsyncConnection,
        records: Select[*tuple[Any, ...]],
        *,
        after: str | None,
        size: int,
        descending: bool = False,
    ) -> CursorPage[AnyRow]:
        """A page of those of these records that have the text, in the order of RECORD_ID; raises Invalid.

        It compares no more than 10,000 records with the other filters of `records`. So it may have a cursor although it
        has fewer than `size` records, or none.
        """
        return await fetch_compared_page(
            connection,
            self.apply(records),
            base=select(RECORD_ID).where(self._matches()),
            order=CursorOrder(columns=[RECORD_ID], descending=descending),
            after=after,
            size=size,
        )

    def has_text(self) -> ColumnElement[bool]:
        """Whether a record has the text, for lists in another order."""
        return has_row(self._matches(), self.record_id == RECORD_ID)

    def _matches(self) -> ColumnElement[bool]:
        return _matches(self.pair, self.kind, self.organization_id)


def _matches(pair: KeyAndText, kind: Kind, organization_id: UUID) -> ColumnElement[bool]:
    return and_(
        RecordMetadata.organization_id == organization_id,
        RecordMetadata.kind == kind,
        RecordMetadata.key == pair.key,
        RecordMetadata.value == pair.text,
    )


# The index is read once for each key, because Postgres cannot skip the other rows of a key for `distinct`.
LIST_KEYS = """
with recursive keys (key) as (
    (
        select key from record_metadata where organization_id = %(organization_id)s and kind = %(kind)s
        order by key limit 1
    )
    union all
    select (
        select m.key from record_metadata m
        where m.organization_id = %(organization_id)s and m.kind = %(kind)s and m.key > keys.key
        order by m.key limit 1
    )
    from keys where keys.key is not null
)
select key from keys where key is not null limit %(limit)s
"""


class MetadataRepository:
    """The metadata of records of one kind, in the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork, kind: Kind) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._kind = kind

    async def find(self, record_id: UUID, *, lock: bool = False) -> dict[str, str] | None:
        """The metadata of a record, locked FOR UPDATE on request; None if there is no such record."""
        record = _RECORDS[self._kind].c
        statement = select(record.metadata).where(
            record.organization_id == self._organization_id, record.id == record_id
        )
        row = (await self._connection.execute(statement.with_for_update() if lock else statement)).first()
        return None if row is None else row.metadata or {}

    async def replace(self, record_id: UUID, metadata: Mapping[str, str]) -> None:
        """Write the metadata of a locked record in place of its present metadata, as a new version of the record."""
        records = _RECORDS[self._kind]
        values: dict[str, Any] = {"metadata": dict(metadata) or None}
        if self._kind is not Kind.REDEMPTION:  # which has no versions
            values["version"] = records.c.version + 1
        await self._connection.execute(
            update(records)
            .where(records.c.organization_id == self._organization_id, records.c.id == record_id)
            .values(values)
        )
        await self.reindex(record_id, metadata)

    async def reindex(self, record_id: UUID, metadata: Mapping[str, str] | None) -> None:
        """Replace the rows by which lists find a record by those of its present metadata."""
        await self._connection.execute(
            delete(RecordMetadata).where(
                RecordMetadata.organization_id == self._organization_id,
                RecordMetadata.kind == self._kind,
                RecordMetadata.record_id == record_id,
            )
        )
        await self.index_new({record_id: metadata})

    async def index_new(self, metadata: Mapping[UUID, Mapping[str, str] | None]) -> None:
        """Add the rows by which lists find new records, whose metadata are given by id; none for None."""
        rows = [
            {
                "organization_id": self._organization_id,
                "kind": self._kind,
                "record_id": record_id,
                "key": key,
                "value": text,
            }
            for record_id, texts in metadata.items()
            for key, text in (texts or {}).items()
        ]
        if rows:
            await run(self._connection, insertion(RecordMetadata, rows))

    async def list_keys(self, *, limit: int) -> list[str]:
        """The first keys that records of this kind have, in their order."""
        values = {"organization_id": self._organization_id, "kind": self._kind, "limit": limit}
        return [row.key for row in await self._connection.exec_driver_sql(LIST_KEYS, values)]

    async def list_by_cursor(
        self, pair: KeyAndText, *, after: str | None, size: int
    ) -> CursorPage[tuple[UUID, dict[str, str]]]:
        """A page of the records that have this text of this key, with their metadata, in the order of their ids."""
        statement = select(RecordMetadata.record_id).where(_matches(pair, self._kind, self._organization_id))
        page = await fetch_cursor_page(self._connection, statement, order=[RECORD_ID], after=after, size=size)
        found = await self._find_all([row.record_id for row in page.items])
        return page.map(lambda row: (row.record_id, found[row.record_id]))

    async def _find_all(self, ids: Sequence[UUID]) -> Mapping[UUID, dict[str, str]]:
        statement = (
            select(RecordMetadata.record_id, RecordMetadata.key, RecordMetadata.value)
            .where(
                RecordMetadata.organization_id == self._organization_id,
                RecordMetadata.kind == self._kind,
                RecordMetadata.record_id == any_(literal(list(ids), ARRAY(Uuid))),
            )
            .order_by(RecordMetadata.record_id, RecordMetadata.key)
        )
        found: dict[UUID, dict[str, str]] = defaultdict(dict)
        for row in await self._connection.execute(statement):
            found[row.record_id][row.key] = row.value
        return found
