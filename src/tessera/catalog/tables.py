"""Tables of store exams and product bundles."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit import editing
from tessera.kit.db.table_base import Base, Timestamp

STATUS = "status in ('Active', 'Archived')"


class StoreExam(Base):
    """An exam that candidates can book, identified by its code."""

    __tablename__ = "store_exams"
    __impersonal__ = "organization_id id code code_key name price status created_at version"
    __table_args__ = (
        UniqueConstraint("organization_id", "code_key"),
        Index(None, "organization_id", "status", "id"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint(STATUS, name="status"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    code_key: Mapped[str] = mapped_column(Text, Computed('lower(code collate "C")', persisted=True))
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class ProductBundle(Base):
    """Several store exams sold together."""

    __tablename__ = "product_bundles"
    __impersonal__ = "organization_id id name price status created_at version"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint(STATUS, name="status"),
        Index(None, "organization_id", "status", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class ProductBundleStoreExam(Base):
    """A store exam in a product bundle."""

    __tablename__ = "product_bundle_store_exams"
    __impersonal__ = "organization_id product_bundle_id store_exam_id"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "product_bundle_id"], ["product_bundles.organization_id", "product_bundles.id"]
        ),
        ForeignKeyConstraint(["organization_id", "store_exam_id"], ["store_exams.organization_id", "store_exams.id"]),
        Index(
            "product_bundle_store_exams_by_store_exam_index", "organization_id", "store_exam_id", "product_bundle_id"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    product_bundle_id: Mapped[UUID] = mapped_column(primary_key=True)
    store_exam_id: Mapped[UUID] = mapped_column(primary_key=True)
