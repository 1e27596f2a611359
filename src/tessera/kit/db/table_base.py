"""The declarative base of all tables, and the type of their timestamps."""

from sqlalchemy import DateTime, MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Base class of all tables, with a naming convention for constraints, on which error handling relies."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pk",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "fk": "%(table_name)s_%(column_0_N_name)s_fk",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )


Timestamp = DateTime(timezone=True)
