"""The declarative base of all tables, the type of their timestamps, and columns that several tables have."""

from uuid import UUID

from sqlalchemy import DateTime, MetaData, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tessera.kit.db import personal_data


class Base(DeclarativeBase):
    """Base class of all tables, with a naming convention for constraints.

    Each table names its columns without personal data in `__impersonal__`, separated by blanks.
    """

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pk",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "fk": "%(table_name)s_%(column_0_N_name)s_fk",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )


class MetadataColumn:
    """The metadata of a record, null if it has none. The attribute `metadata` of a table is SQLAlchemy's own."""

    record_metadata: Mapped[dict[str, str] | None] = mapped_column(
        "metadata", JSONB(none_as_null=True), info=personal_data.METADATA
    )


class VisibilityColumn:
    """The partners that see a row. The id of only zeros stands for all of them; rows of the last release have none."""

    visible_to: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))


Timestamp = DateTime(timezone=True)
