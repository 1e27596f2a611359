"""Declarations of personal data: what a column holds, about whom, for what purpose, and for how long.

Each table declares every column: a personal one by `info=`, all others by their names in `__impersonal__`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase

from tessera.kit.personal_data import Content, Subject

_INFO = "personal_data"


@dataclass(frozen=True, slots=True)
class PersonalData:
    """The declaration of a column."""

    content: Content
    subject: Subject
    purpose: str
    kept: str


Info = dict[str, PersonalData]

UNTIL_ERASURE = "until the person is erased"
AS_RECORD = "as long as the record"


def personal(content: Content, subject: Subject, purpose: str, kept: str = UNTIL_ERASURE) -> Info:
    """The `info=` of a column with personal data."""
    return {_INFO: PersonalData(content, subject, purpose, kept)}


_EXAM = "to redeem codes within their limits, and to show who used them"
PERSON_ID = personal(Content.PERSON_ID, Subject.CANDIDATE, _EXAM)
CLIENT_CANDIDATE_ID = personal(Content.CLIENT_CANDIDATE_ID, Subject.CANDIDATE, _EXAM)
CANDIDATE_NAME = personal(Content.NAME, Subject.CANDIDATE, _EXAM)
CANDIDATE_EMAIL = personal(Content.EMAIL, Subject.CANDIDATE, _EXAM)
LISTED_EMAIL = personal(Content.EMAIL, Subject.CANDIDATE, "to restrict a promo code to its addresses")
RECIPIENT_EMAIL = personal(Content.EMAIL, Subject.RECIPIENT, "to show and enforce for whom a voucher is")

_PURCHASE = "to show who bought vouchers"
BUYER_EMAIL = personal(Content.EMAIL, Subject.BUYER, _PURCHASE)
BUYER_NAME = personal(Content.NAME, Subject.BUYER, _PURCHASE)

_ACCESS = "to give access, and to show who made a change"
USER_EMAIL = personal(Content.EMAIL, Subject.USER, _ACCESS)
USER_NAME = personal(Content.NAME, Subject.USER, _ACCESS)
ACTOR = personal(Content.TEXT, Subject.USER, "to show who made a change")
CALLER_ID = personal(Content.REFERENCE, Subject.USER, "to show who made a change", AS_RECORD)

BOOKING = personal(Content.REFERENCE, Subject.CANDIDATE, "to know the booking that a code paid for", AS_RECORD)
ERASED_DIGEST = personal(
    Content.REFERENCE, Subject.ANYONE, "to erase the person again after a restore of an older backup", AS_RECORD
)
NOTES = personal(Content.TEXT, Subject.ANYONE, "notes of the organization")
METADATA = personal(Content.METADATA, Subject.ANYONE, "texts that an integration attaches to records")
METADATA_VALUE = personal(Content.TEXT, Subject.ANYONE, "to find records by their metadata")
AUDITED = personal(Content.RECORD, Subject.ANYONE, "to prove what was changed")
AUDITED_VALUE = personal(Content.TEXT, Subject.ANYONE, "to prove what was changed")
STORED_BODY = personal(Content.BODY, Subject.ANYONE, "to answer a repeated request as before", "24 hours")
REQUEST_DIGEST = personal(Content.REFERENCE, Subject.ANYONE, "to recognize a repeated request", "24 hours")

# The tables of the job queue and of Alembic. Arguments of jobs are ids of purchases and batches, and times.
OTHER_TABLES = {
    "alembic_version": "version_num",
    "procrastinate_events": "id job_id type at",
    "procrastinate_jobs": (
        "id queue_name task_name priority lock queueing_lock args status scheduled_at attempts abort_requested"
        " worker_id"
    ),
    "procrastinate_periodic_defers": "id task_name defer_timestamp job_id periodic_id",
    "procrastinate_workers": "id last_heartbeat",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalColumn:
    """A line of the map of personal data."""

    table: str
    column: str
    holds: str
    about: str
    purpose: str
    kept: str


def personal_columns(table: Table) -> dict[str, PersonalData]:
    """The columns with personal data, by name."""
    return {str(column.name): column.info[_INFO] for column in table.columns if _INFO in column.info}


def personal_data_map(metadata: MetaData) -> Iterator[PersonalColumn]:
    """Every column with personal data, in the order of tables."""
    for name in sorted(metadata.tables):
        for column, data in personal_columns(metadata.tables[name]).items():
            yield PersonalColumn(
                table=name,
                column=column,
                holds=data.content,
                about=data.subject,
                purpose=data.purpose,
                kept=data.kept,
            )


def undeclared_columns(base: type[DeclarativeBase]) -> Iterator[str]:
    """The columns that a table does not declare, and those that it declares twice or does not have."""
    for mapper in base.registry.mappers:
        table = mapper.local_table
        assert isinstance(table, Table), "classes are mapped to tables"  # noqa: S101 - for the type checker
        impersonal = str(getattr(mapper.class_, "__impersonal__", "")).split()
        declarations = Counter([*personal_columns(table), *impersonal])
        declarations.subtract(Counter(column.name for column in table.columns))
        yield from (f"{table.name}.{name}" for name, surplus in declarations.items() if surplus)
