"""Statements that find what is held about a person, built from the declarations of the tables."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Column, ColumnElement, Table, Text, any_, func, literal, select

from tessera.kit.db.personal_data import personal_columns
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.personal_data import Content
from tessera.metadata import metadata

Record = dict[str, Any]
# The most records of each table, and the most candidates that are compared.
MAX_RECORDS = 1_000


class PersonRepository:
    """The persons of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_candidates(
        self, *, person_ids: Collection[str] = (), email_keys: Collection[str] = ()
    ) -> list[tuple[str, str | None]]:
        """Up to MAX_RECORDS + 1 pairs of a person id and an address in redemptions with these ids or addresses."""
        candidates = func.find_persons(_texts(person_ids), _texts(email_keys)).table_valued("person_id", "email")
        rows = await self._connection.execute(select(candidates).limit(MAX_RECORDS + 1))
        return [(row.person_id, row.email) for row in rows]

    async def find_shared(self, *, own_ids: Collection[str], email_keys: Collection[str]) -> set[str]:
        """Those of these addresses that candidates without these ids have in redemptions."""
        shared = func.find_shared_addresses(_texts(own_ids), _texts(email_keys)).table_valued("email_key")
        return set((await self._connection.execute(select(shared))).scalars())

    async def list_records(
        self, *, person_ids: Collection[str], email_keys: Collection[str]
    ) -> dict[str, list[Record]]:
        """Up to MAX_RECORDS + 1 records about a person for each match of a table, in the order of their keys."""
        found: dict[str, dict[Any, Record]] = {}
        for column, content in matched_columns():
            values = person_ids if content is Content.PERSON_ID else email_keys
            rows = await self._find(column.table, column == any_(_texts(values)))
            found[column.table.name] = found.get(column.table.name, {}) | rows
        bookings = {row["reservation_id"] for row in found["redemptions"].values()}
        reservations = metadata.tables["reservations"]
        found["reservations"] = await self._find(reservations, reservations.c.id.in_(bookings))
        # The names are SQLAlchemy's own strings.
        return {str(table): [rows[key] for key in sorted(rows)] for table, rows in found.items() if rows}

    async def _find(self, table: Table, condition: ColumnElement[bool]) -> dict[Any, Record]:
        """Up to MAX_RECORDS + 1 records by their keys."""
        columns = [column for column in table.columns if column.name != "organization_id"]
        statement = select(*columns).where(table.c.organization_id == self._organization_id, condition)
        rows = (await self._connection.execute(statement.limit(MAX_RECORDS + 1))).mappings()
        keys = [column.name for column in table.primary_key if column.name != "organization_id"]
        return {tuple(str(row[key]) for key in keys): dict(row) for row in rows}


def matched_columns() -> Iterator[tuple[Column[str], Content]]:
    """The columns of each table by which the rows about a person are found: person ids, and keys of addresses."""
    for table in metadata.sorted_tables:
        for name, data in personal_columns(table).items():
            if data.content is Content.PERSON_ID or name.endswith("email_key"):
                yield table.c[name], data.content


def _texts(values: Collection[str]) -> BindParameter[list[str]]:
    return literal(list(values), ARRAY(Text))
