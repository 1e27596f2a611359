"""Each column of each table declares whether it holds personal data, and the guide has the map of those that do."""

import json
import re
from dataclasses import astuple
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typer.testing import CliRunner

from tessera.audit.rules import PERSONAL_FIELDS
from tessera.cli import privacy
from tessera.kit.db import personal_data
from tessera.kit.db.personal_data import OTHER_TABLES, personal_data_map, undeclared_columns
from tessera.kit.db.table_base import Base
from tessera.kit.personal_data import Content
from tessera.metadata import metadata
from tessera.persons import repository as persons

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


def test_each_column_is_declared_once() -> None:
    assert list(undeclared_columns(Base)) == []


def test_each_table_that_names_persons_is_exported() -> None:
    naming = {Content.PERSON_ID, Content.EMAIL, Content.NAME, Content.CLIENT_CANDIDATE_ID}
    tables = {each.table for each in personal_data_map(metadata) if each.holds in naming}
    assert {column.table.name for column, _ in persons.matched_columns()} == tables


def test_the_audit_log_separates_each_field_that_names_persons() -> None:
    texts = {Content.PERSON_ID, Content.EMAIL, Content.NAME, Content.CLIENT_CANDIDATE_ID, Content.TEXT}
    columns = {each.column for each in personal_data_map(metadata) if each.holds in texts}
    # Keys of addresses are not recorded, and the names of actors are columns of an entry. One field has all addresses.
    others = {column for column in columns if column.endswith("_key")} | {"actor_name", "token_issuer", "value"}
    assert columns - others | {"email_addresses"} == PERSONAL_FIELDS


def test_a_column_without_a_declaration_is_found() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Person(Other):
        __tablename__ = "persons"
        __impersonal__ = "id email removed"

        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(Text, info=personal_data.USER_EMAIL)
        phone: Mapped[str] = mapped_column(Text)

    assert set(undeclared_columns(Other)) == {"persons.email", "persons.phone", "persons.removed"}


def test_the_columns_of_other_tables_are_declared(superuser: psycopg.Connection[Any]) -> None:
    # Views and the tables of tests' sessions do not count.
    rows = superuser.execute(
        "select c.relname, string_agg(a.attname, ' ' order by a.attnum) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> all (%s)"
        " group by c.relname",
        [list(metadata.tables)],
    ).fetchall()
    assert {table: set(columns.split()) for table, columns in rows} == {
        table: set(columns.split()) for table, columns in OTHER_TABLES.items()
    }


def test_the_guide_has_the_map() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [astuple(row) for row in personal_data_map(metadata)]


def test_the_command_prints_the_map() -> None:
    done = CliRunner().invoke(privacy.commands, ["--json"])
    rows = json.loads(done.stdout)
    assert [tuple(row.values()) for row in rows] == [astuple(row) for row in personal_data_map(metadata)]
    assert rows[0] == {
        "table": "audit_entries",
        "column": "actor_id",
        "holds": "reference",
        "about": "user",
        "purpose": "to show who made a change",
        "kept": "as long as the record",
    }
