"""Tables of what was redeemed on each day that is over, and of how far that has been summed up."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db.table_base import Base

# Everything that is summed is in both indexes, so that either of them answers alone.
_SUMMED = ["redeemed", "cancelled", "discount"]


class RedemptionTotal(Base):
    """What was redeemed of one key on one day, UTC; written once, when the day is over, and never changed."""

    __tablename__ = "redemption_totals"
    __table_args__ = (
        PrimaryKeyConstraint("organization_id", "dimension", "key", "day", postgresql_include=_SUMMED),
        Index(
            "redemption_totals_by_day_index",
            "organization_id",
            "dimension",
            "day",
            "key",
            postgresql_include=_SUMMED,
        ),
        CheckConstraint("dimension in ('day', 'code', 'storeExam', 'partner')", name="dimension"),
        CheckConstraint("redeemed >= 0 and cancelled >= 0", name="counts"),
    )

    organization_id: Mapped[UUID]
    dimension: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    day: Mapped[date]
    redeemed: Mapped[int]
    cancelled: Mapped[int]
    discount: Mapped[Decimal] = mapped_column(Numeric(14, 2))


class ReportMark(Base):
    """The day up to which an organization's redemptions are summed up: those from then on are in the ledger alone."""

    __tablename__ = "report_marks"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    rolled_until: Mapped[date]
