"""Tables of the daily totals of redemptions, and of the day up to which they are rolled up."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db.table_base import Base

# Both indexes include these columns for index-only scans.
_SUM_COLUMNS = ["redeemed", "cancelled", "discount"]
_DIMENSIONS = "dimension in ('day', 'code', 'storeExam', 'partner', 'globalCode')"


class RedemptionTotal(Base):
    """The redemptions of one key on one UTC day; written after the day is closed."""

    __tablename__ = "redemption_totals"
    __impersonal__ = "organization_id dimension key day redeemed cancelled discount"
    __table_args__ = (
        PrimaryKeyConstraint("organization_id", "dimension", "key", "day", postgresql_include=_SUM_COLUMNS),
        Index(
            "redemption_totals_by_day_index",
            "organization_id",
            "dimension",
            "day",
            "key",
            postgresql_include=_SUM_COLUMNS,
        ),
        CheckConstraint(_DIMENSIONS, name="dimension"),
        CheckConstraint("redeemed >= 0 and cancelled >= 0", name="counts"),
    )

    organization_id: Mapped[UUID]
    dimension: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    day: Mapped[date]
    redeemed: Mapped[int]
    cancelled: Mapped[int]
    discount: Mapped[Decimal] = mapped_column(Numeric(24, 2))


class DroppedTotal(Base):
    """What dropped redemptions had contributed to a daily total."""

    __tablename__ = "dropped_totals"
    __impersonal__ = "organization_id dimension key day redeemed cancelled discount"
    __table_args__ = (
        CheckConstraint(_DIMENSIONS, name="dimension"),
        CheckConstraint("redeemed >= 0 and cancelled >= 0", name="counts"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    redeemed: Mapped[int]
    cancelled: Mapped[int]
    discount: Mapped[Decimal] = mapped_column(Numeric(24, 2))


class ReportMark(Base):
    """The day before which the redemptions of an organization are rolled up; only the ledger has later redemptions."""

    __tablename__ = "report_marks"
    __impersonal__ = "organization_id rolled_until"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    rolled_until: Mapped[date]
