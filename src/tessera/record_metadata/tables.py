"""The table that finds records by their metadata."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base


class RecordMetadata(Base):
    """One key of the metadata of one record, by which lists find the record.

    A table, because under row-level security an index on the JSON of the record could not serve a filter.
    """

    __tablename__ = "record_metadata"
    __impersonal__ = "organization_id kind record_id key"
    __table_args__ = (
        Index("record_metadata_by_value_index", "organization_id", "kind", "key", "value", "record_id"),
        CheckConstraint(
            "kind in ('PromoCode', 'VoucherProgram', 'VoucherPurchase', 'Voucher', 'Redemption')", name="kind"
        ),
        CheckConstraint("char_length(key) between 1 and 40 and char_length(value) <= 500", name="length"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, info=personal_data.METADATA_VALUE)
