"""The columns that name a person, from the declarations of the tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tessera.kit.db.personal_data import personal_columns
from tessera.kit.personal_data import Content, Subject
from tessera.metadata import metadata

_IDENTIFYING = (Content.PERSON_ID, Content.CLIENT_CANDIDATE_ID, Content.EMAIL, Content.NAME)
_SEARCHED = (Content.TEXT, Content.METADATA, Content.RECORD, Content.BODY)
# A record about one of these persons is about nobody else, so its metadata are about the same person.
_OWN_TEXTS = (Subject.CANDIDATE, Subject.RECIPIENT)
# Entries of earlier releases contain values that name persons; those of later ones have them in audit_values.
_CONDITIONS = {"audit_entries": "digests is null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The columns of a table that name one person, whose rows are found by a person id or by the key of an address."""

    table: str
    subject: Subject
    key: tuple[str, ...]
    contents: Mapping[str, Content]
    match: str
    is_by_id: bool
    generated: frozenset[str]
    has_version: bool
    has_metadata: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedTable:
    """A table with texts that may name anyone: the columns that identify a row, those to search, and a condition."""

    table: str
    key: tuple[str, ...]
    contents: Mapping[str, Content]
    has_version: bool
    condition: str


@cache
def groups() -> tuple[Group, ...]:
    """Every group, in the order of tables."""
    return tuple(_groups())


def _groups() -> Iterator[Group]:
    for table in metadata.sorted_tables:
        by_subject: dict[Subject, dict[str, Content]] = {}
        for column, data in personal_columns(table).items():
            if data.content in _IDENTIFYING:
                by_subject.setdefault(data.subject, {})[column] = data.content
        for subject, contents in by_subject.items():
            ids = [name for name, content in contents.items() if content is Content.PERSON_ID]
            yield Group(
                table=str(table.name),
                subject=subject,
                key=_key(table.name),
                contents=contents,
                match=ids[0] if ids else next(name for name in contents if name.endswith("email_key")),
                is_by_id=bool(ids),
                generated=frozenset(name for name in contents if table.c[name].computed is not None),
                has_version="version" in table.c,
                has_metadata=subject in _OWN_TEXTS and "metadata" in table.c,
            )


@cache
def searched_tables() -> tuple[SearchedTable, ...]:
    """Every table with texts that may name anyone."""
    searched = {}
    for table in metadata.sorted_tables:
        contents = {name: data.content for name, data in personal_columns(table).items() if data.content in _SEARCHED}
        if contents and table.name != "audit_values":
            searched[table.name] = SearchedTable(
                table=str(table.name),
                key=_key(table.name),
                contents=contents,
                has_version="version" in table.c,
                condition=_CONDITIONS.get(table.name, "true"),
            )
    return tuple(searched.values())


def _key(table: str) -> tuple[str, ...]:
    return tuple(str(column.name) for column in metadata.tables[table].primary_key if column.name != "organization_id")
